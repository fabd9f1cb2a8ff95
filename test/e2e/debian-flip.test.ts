/**
 * Goal: one bit that flips in a replaying machine, wherever it is, is found at the next check and
 * named, with both values.
 * Method: a recorded boot of Debian is replayed by a machine whose memory changes by one bit just
 * before a check, or some way before it where the guest does not touch it.
 *
 * A page is hashed only where it was written since the last check of pages; a bit that flips in
 * another shows when the guest's work with it does.
 */

import test, { type ExecutionContext } from 'ava';
import { assert, present } from '../../lib/base/assert.js';
import type { LockstepError } from '../../lib/base/error.js';
import type { StateHashEvent } from '../../lib/event/event.js';
import { RAM_BASE } from '../../lib/machine/config.js';
import { debianRecording } from '../support/debian-recording.js';
import type { WholeLog } from '../support/edited-log.js';
import { replayWithFault } from '../support/replay-faults.js';

const LIMIT_MS = 900_000;
const PAGE_BYTES = 4096;

interface Part {
  readonly log: WholeLog;
  readonly check: StateHashEvent;
}

/** The boot up to its second check with pages: the kernel runs by then. */
async function beginningOf(t: ExecutionContext): Promise<Part | null> {
  t.timeout(LIMIT_MS);
  const recording = await debianRecording(t);
  if (recording === null) return null;
  const { meta, entries } = recording.log;
  const isWanted = ({ event }: { event: { kind: string; pages?: unknown } }): boolean =>
    event.kind === 'state-hash' && event.pages !== null;
  const [, second] = entries.filter(isWanted);
  const { seq, event: check } = present(second, 'the second check with pages');
  assert(check.kind === 'state-hash', `entry ${seq} is a check`);
  return { log: { meta, entries: entries.filter((entry) => entry.seq <= seq) }, check };
}

async function differenceAfter(log: WholeLog, fault: string): Promise<LockstepError> {
  const error = present(await replayWithFault(log, fault), `difference after ${fault}`);
  assert(error.code === 'DIVERGED', `${error.code}: ${error.message}`);
  return error;
}

function valuesOf({ fields }: LockstepError): readonly [expected: bigint, actual: bigint] {
  const number = (text: unknown): bigint => {
    const match = /0x[0-9a-f]+/.exec(String(text));
    return BigInt(present(match, `number in ${String(text)}`)[0]);
  };
  return [number(fields['expected']), number(fields['actual'])];
}

const WORDS: readonly (readonly [what: string, word: string, bit: number, stepsBefore: bigint])[] =
  [
    ['an x register', 'hart0.x[27]', 63, 1n],
    ['an f register', 'hart0.f[9]', 52, 100_000n],
    ['a CSR', 'hart0.stval', 40, 1n],
    ['a CSR that nobody reads for long', 'hart0.medeleg', 8, 100_000n],
    ['the UART', 'uart.scr', 3, 100_000n],
    ['the interrupt controller', 'plic.priority[7]', 1, 100_000n],
    ['a virtio device', 'virtio-entropy.queueSelect', 4, 100_000n],
    ['the clock', 'rtc.offset', 40, 100_000n],
  ];

for (const [what, word, bit, stepsBefore] of WORDS) {
  test.serial(`a flipped bit in ${what} is found and named (${word}, bit ${bit})`, async (t) => {
    const part = await beginningOf(t);
    if (part === null) return;
    const { log, check } = part;
    const error = await differenceAfter(log, `${check.step - stepsBefore} word ${word} ${bit}`);
    t.log(error.message);
    t.is(error.fields['what'], word);
    const [expected, actual] = valuesOf(error);
    t.is(expected ^ actual, 1n << BigInt(bit));
  });
}

const PAGES: readonly (readonly [what: string, share: number])[] = [
  ['first', 0],
  ['middle', 0.5],
  ['last', 1],
];

for (const [what, share] of PAGES) {
  test.serial(`a flipped bit in RAM is found and its page named (${what} of those)`, async (t) => {
    const part = await beginningOf(t);
    if (part === null) return;
    const { log, check } = part;
    const pages = check.pages ?? [];
    const [page, hash] = present(pages[Math.floor(share * (pages.length - 1))], 'a written page');
    const error = await differenceAfter(log, `${check.step - 1n} page ${page} 12345`);
    t.log(error.message);
    const address = BigInt(RAM_BASE + page * PAGE_BYTES).toString(16);
    t.is(error.fields['what'], `page ${page} (0x${address})`);
    const [expected, actual] = valuesOf(error);
    t.is(expected, hash);
    t.not(actual, hash);
  });
}
