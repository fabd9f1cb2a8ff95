/**
 * The one way to say that a replica is not equal to what the log says: DIVERGED, with fields that
 * name the log position, the point, and what differs with both values.
 */

import { LockstepError } from '../base/error.js';
import type { LogEntry } from '../event/event.js';

export interface Difference {
  /** Log entry that does not fit. */
  readonly seq: bigint;
  readonly hart: number;
  /** Steps that the replica's hart has counted. */
  readonly step: bigint;
  /** What differs: a word's or page's name, "interrupt", "output of uart", "park". */
  readonly what: string;
  /** As the log has it, and as the replica has it. */
  readonly expected: string;
  readonly actual: string;
}

export function diverged(difference: Difference): LockstepError {
  const { seq, hart, step, what, expected, actual } = difference;
  return new LockstepError(
    'DIVERGED',
    `replica differs at entry ${seq}, hart ${hart}, step ${step}: ` +
      `${what} is ${actual}, the log says ${expected}`,
    { seq, hart, step, what, expected, actual },
  );
}

export function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

/** Makes the error for a difference at an entry. */
export type Differs = (
  entry: LogEntry,
  what: Difference['what'],
  expected: string,
  actual: string,
) => LockstepError;
