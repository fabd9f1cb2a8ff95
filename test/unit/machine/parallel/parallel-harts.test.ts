/**
 * Goal: harts in parallel count what they share exactly, and a replay on other threads ends in the
 * same state; a log that lacks a steal is refused at the instruction.
 * Method: small programs on real threads, recorded and replayed by the real sessions.
 */

import test from 'ava';
import { present } from '../../../../lib/base/assert.js';
import type { LogEntry } from '../../../../lib/event/event.js';
import { HART_THREADS } from '../../../../lib/host/hart-threads.js';
import type { ThreadPort } from '../../../../lib/machine/parallel/hart-thread.js';
import {
  ending,
  parallelMachine,
  readDouble,
  recordParallel,
  replayParallel,
} from '../../../support/parallel-guest.js';
import { INTERPRETER, PAGE } from '../../../support/program.js';

const COUNTER = 0x8004_0000;
const COUNT = 20_000n;

/** All wait for the last one's thread to begin, so that they do share. */
const counting = (harts: number): string => `
    li s1,${COUNT}
    li s2,${COUNTER}
    li s3,1
    li s5,${COUNTER + PAGE}
    li s6,${harts}
    amoadd.d zero,s3,(s5)
  wait:
    ld s4,0(s5)
    bne s4,s6,wait
  count:
    amoadd.d zero,s3,(s2)
    ld s4,8(s2)
    xor s4,s4,s1
    sd s4,8(s2)
    addi s1,s1,-1
    bnez s1,count
    ${ending(harts)}`;

for (const harts of [2, 4]) {
  test.serial(`${harts} harts that share a page lose no count, and replay`, (t) => {
    const program = counting(harts);
    const { entries, machine, hash } = recordParallel(program, { harts });
    t.is(readDouble(machine, COUNTER), COUNT * BigInt(harts));
    t.true(entries.some(({ event }) => event.kind === 'steal'));
    t.is(replayParallel(program, entries, { harts }), hash);
    t.is(replayParallel(program, entries, { harts, engine: INTERPRETER }), hash);
  });
}

test.serial('a steal that is missing from the log is a divergence', (t) => {
  const program = counting(2);
  const { entries } = recordParallel(program, { harts: 2 });
  const isShared = ({ event }: LogEntry): boolean => event.kind === 'steal' && event.page === 64;
  const steals = entries.filter(isShared);
  const missing = steals[Math.floor(steals.length / 2)];
  if (missing === undefined) return t.fail('no steal');
  const shortened = entries
    .filter((entry) => entry !== missing)
    .map((entry, index) => ({ ...entry, seq: BigInt(index + 1) }));
  t.throws(() => replayParallel(program, shortened, { harts: 2 }), { code: 'DIVERGED' });
});

test.serial('an interrupt from one hart to another arrives, and replays', (t) => {
  // Hart 1 waits for software interrupts and answers each in memory; hart 0 sends a hundred.
  const program = `
    csrr a0,mhartid
    li a1,${COUNTER}
    li a2,0x2000004
    li t0,8
    csrw mie,t0
    li s1,100
    bnez a0,answer
  send:
    li t1,1
    sw t1,0(a2)
  sent:
    ld t2,0(a1)
    bne t2,s1,sent
    addi s1,s1,-1
    bnez s1,send
    j done
  answer:
    wfi
    csrr t1,mip
    andi t1,t1,8
    beqz t1,answer
    sw zero,0(a2)
    sd s1,0(a1)
    addi s1,s1,-1
    bnez s1,answer
  done:
    ${ending(2)}`;
  const { entries, machine, hash } = recordParallel(program, { harts: 2 });
  t.is(readDouble(machine, COUNTER), 1n);
  t.is(replayParallel(program, entries, { harts: 2 }), hash);
});

const IDLE_WORK = 'loop:\n  addi a0,a0,1\n  j loop';

test.serial('an interrupt that waits in a snapshot is there after the restore', (t) => {
  // Interrupts stay off, so that what is pending stays pending.
  const machine = parallelMachine(IDLE_WORK, { harts: 2 });
  const place = machine.words().findIndex((_, at) => machine.wordName(at) === 'hart1.mipLines');
  const words = machine.saveWords();
  new DataView(words.buffer, words.byteOffset).setBigUint64(place * 8, 8n, true);
  machine.restore(words, []);
  present(machine.parallel, 'harts in parallel').reach([1_000n, 1_000n]);
  t.is(machine.words()[place], 8n);
});

test('the thread of a hart that fails ends the machine, with what it said', (t) => {
  const threads: ThreadPort = {
    ...HART_THREADS,
    // There is no such hart in the machine's memory.
    start: (start) => HART_THREADS.start({ ...start, hart: 7 }),
  };
  t.throws(() => recordParallel(IDLE_WORK, { harts: 2, threads }, 1_000), {
    message: /thread of hart 7: /,
  });
});

test('a thread that never answers is taken for dead', (t) => {
  const threads: ThreadPort = {
    start: () => undefined,
    wait: (ints, index, value) => void Atomics.wait(ints, index, value, 1),
  };
  t.throws(() => recordParallel(IDLE_WORK, { harts: 2, threads }, 1_000), {
    code: 'IO',
    message: /does not answer: hart 0 stands at step \d+, hart 1 stands at step 0/,
  });
});
