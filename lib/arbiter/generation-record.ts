/**
 * What an arbiter keeps of a claim that was won: one line of JSON, the same in a file and in etcd.
 */

import { LockstepError } from '../base/error.js';
import type { Claim, Holder } from '../protocol/arbiter.js';

/** Machine names become names of files and parts of keys. */
const MACHINE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function checkMachineId(machineId: string): void {
  if (MACHINE_ID.test(machineId)) return;
  throw new LockstepError(
    'USAGE',
    `"${machineId}" is no machine id; use up to 64 letters, digits, ".", "_" and "-"`,
  );
}

export interface GenerationRecord {
  readonly machine: string;
  readonly generation: bigint;
  readonly holder: Holder;
}

export function encodeRecord(claim: Claim): string {
  const record = {
    machine: claim.machine,
    generation: claim.generation.toString(),
    address: claim.holder.address,
    incarnation: claim.holder.incarnation,
    // For people only; no decision looks at it.
    time: new Date().toISOString(),
  };
  return `${JSON.stringify(record)}\n`;
}

/** Null where `text` is JSON but no record. Errors: SyntaxError where it is no JSON. */
export function parseRecord(text: string): GenerationRecord | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return null;
  const field = (name: string): string => {
    const found: unknown = Reflect.get(value, name);
    return typeof found === 'string' ? found : '';
  };
  const generation = field('generation');
  if (!/^\d{1,19}$/.test(generation)) return null;
  return {
    machine: field('machine'),
    generation: BigInt(generation),
    holder: { address: field('address'), incarnation: field('incarnation') },
  };
}
