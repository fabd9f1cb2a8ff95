/**
 * Looking at a machine between two slices: counters, words and RAM.
 * Nothing here changes the machine.
 */

import { LockstepError } from '../base/error.js';
import { OUTPUT_STREAMS } from '../event/event.js';
import { RAM_BASE } from '../machine/config.js';
import type { Machine } from '../machine/machine.js';
import type { ReplaySession } from '../session/replay-session.js';
import type { InspectionReport, StreamTail } from './hart-messages.js';

const PAGE_BYTES = 4096;
const MAX_READ_BYTES = 16 << 20;

/** `seq` is the last entry logged or applied. */
export function inspectMachine(machine: Machine, seq: bigint): InspectionReport {
  const words: [string, bigint][] = [];
  machine.words().forEach((value, index) => {
    if (value !== 0n) words.push([machine.wordName(index), value]);
  });
  return {
    digest: machine.digest,
    seq,
    steps: stepsOf(machine),
    retired: hartsOf(machine).map((hart) => machine.retired(hart)),
    time: machine.time(machine.here().hart),
    stopped: machine.stopped(),
    words,
  };
}

/** Steps of each hart. */
export function stepsOf(machine: Machine): bigint[] {
  return hartsOf(machine).map((hart) => machine.step(hart));
}

function hartsOf(machine: Machine): number[] {
  return Array.from({ length: machine.hartCount }, (_, hart) => hart);
}

/** Bytes at a guest-physical address; USAGE if they are not all in RAM, or too many. */
export function readRam(
  machine: Machine,
  range: { readonly address: bigint; readonly bytes: number },
): Uint8Array {
  const { address, bytes } = range;
  const start = address - BigInt(RAM_BASE);
  const ramBytes = BigInt(machine.ramPageCount * PAGE_BYTES);
  if (start < 0n || start + BigInt(bytes) > ramBytes) {
    throw new LockstepError('USAGE', `${bytes} bytes at 0x${address.toString(16)} are not in RAM`);
  }
  if (bytes > MAX_READ_BYTES) {
    throw new LockstepError('USAGE', `${bytes} bytes at once, at most ${MAX_READ_BYTES}`);
  }
  const result = new Uint8Array(bytes);
  const from = Number(start);
  for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < from + bytes; page++) {
    const content = machine.savePage(page);
    if (content === null) continue;
    const at = page * PAGE_BYTES - from;
    result.set(
      content.subarray(Math.max(-at, 0), Math.min(PAGE_BYTES, bytes - at)),
      Math.max(at, 0),
    );
  }
  return result;
}

/** What is kept of the output that a replay has swallowed. */
export function tailsOf(replay: ReplaySession): StreamTail[] {
  return OUTPUT_STREAMS.map((stream) => ({
    stream,
    ...replay.outputsFrom(stream, 0n),
  })).filter(({ offset, bytes }) => offset > 0n || bytes.length > 0);
}
