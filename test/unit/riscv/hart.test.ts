/**
 * Goal: a run is a function of state and step counts alone: where it is cut, and which engine
 * executes it, changes nothing; timers fire at the exact step.
 * Method: one program that does everything awkward (`program-mixed.ts`), cut at random places;
 * small programs that read time.
 */

import test, { type ExecutionContext } from 'ava';
import { DEFAULT_RATE } from '../../../lib/machine/config.js';
import { assemble } from '../../support/assembler.js';
import { advance, loadMixed } from '../../support/program-mixed.js';
import { COMPILER, Guest, INTERPRETER } from '../../support/program.js';
import { Random } from '../../support/random.js';

const END = 6000n;
const interpreted = new Guest(INTERPRETER);
const compiled = new Guest(COMPILER);

/** Fingerprints of the straight run at chosen steps, made by going on from one to the next. */
function straight(steps: readonly bigint[]): Map<bigint, string> {
  loadMixed(interpreted);
  const found = new Map<bigint, string>();
  for (const step of [...steps].sort((a, b) => Number(a - b))) {
    advance(interpreted, step);
    found.set(step, interpreted.fingerprint());
  }
  return found;
}

function cutsOf(random: Random, longest: number): bigint[] {
  const cuts: bigint[] = [];
  for (let at = 0n; at < END;) {
    at += BigInt(1 + random.below(longest));
    cuts.push(at < END ? at : END);
  }
  return cuts;
}

function sameForAllCuts(t: ExecutionContext, guest: Guest, rounds: number): void {
  loadMixed(interpreted);
  advance(interpreted, END);
  const expected = interpreted.fingerprint();
  const random = new Random(rounds);
  let stops = 0;
  for (let round = 0; round < rounds; round++) {
    const cuts = cutsOf(random, 2 ** (1 + random.below(12)));
    loadMixed(guest);
    for (const cut of cuts) {
      advance(guest, cut);
      if (guest.step !== cut) t.fail(`stopped at ${guest.step}, not ${cut}`);
    }
    stops += cuts.length;
    if (guest.fingerprint() !== expected) t.fail(`cut at ${cuts.join(' ')}`);
  }
  t.log(`${stops} stops in ${rounds} runs`);
  t.pass();
}

test('a run cut at random steps ends in the state of the straight run (interpreter)', (t) => {
  sameForAllCuts(t, interpreted, 100);
});

test('a run cut at random steps ends in the state of the straight run (compiler)', (t) => {
  sameForAllCuts(t, compiled, 60);
});

test('the state at any step is that of the straight run, for both engines', (t) => {
  const random = new Random(5);
  const steps = Array.from({ length: 60 }, () => BigInt(1 + random.below(Number(END))));
  const expected = straight(steps);
  for (const [step, fingerprint] of expected) {
    for (const guest of [interpreted, compiled]) {
      loadMixed(guest);
      advance(guest, step);
      t.is(guest.fingerprint(), fingerprint, `step ${step}`);
    }
  }
});

test('one step at a time, a step retires one instruction or takes one trap', (t) => {
  loadMixed(interpreted);
  const { machine } = interpreted;
  for (let step = 1n; step <= 3000n; step++) {
    const [retired, traps] = [machine.retired(0), interpreted.get('traps')];
    advance(interpreted, step);
    const moved = machine.retired(0) - retired + interpreted.get('traps') - traps;
    if (moved !== 1n) t.is(moved, 1n, `step ${step}`);
  }
  t.true(interpreted.get('traps') > 100n);
});

/** Counts in a0 until the handler of a timer interrupt stops it. */
const COUNTER = assemble(`
loop:
  addi a0,a0,1
  j loop
  .align 4
handler:
  csrr a1,mcause
  csrr a2,sepc
done:
  j done
`);

const TIME_PER_STEP = 1n << 32n;

/** The step before which the timer interrupt is taken. */
function stepOfInterrupt(guest: Guest): bigint {
  for (let count = 0; count < 1000; count++) {
    const before = guest.step;
    guest.run(1);
    const [taken] = guest.machine.takeInterrupts();
    if (taken !== undefined) {
      if (taken.step !== before) throw new Error(`interrupt of step ${taken.step} at ${before}`);
      return before;
    }
  }
  throw new Error('no interrupt');
}

for (const rate of [DEFAULT_RATE, TIME_PER_STEP, TIME_PER_STEP * 3n, 0x1234_5678n, 1n << 30n]) {
  test(`timers fire before the first step with time at the compare value (rate ${rate})`, (t) => {
    for (const compare of [1n, 2n, 7n, 20n]) {
      const expected = ((compare << 32n) + rate - 1n) / rate;
      const timer = { timeRate: rate, mtvec: COUNTER.address('handler') };
      interpreted.program(COUNTER, {
        ...timer,
        ...{ 'clint.mtimecmp': compare, mie: 0x80n, mstatus: 8n },
      });
      t.is(stepOfInterrupt(interpreted), expected, `mtimecmp ${compare}`);
      interpreted.program(COUNTER, {
        ...timer,
        ...{ stimecmp: compare, menvcfg: 1n << 63n, mie: 0x20n, mstatus: 8n },
      });
      t.is(stepOfInterrupt(interpreted), expected, `stimecmp ${compare}`);
      t.is(interpreted.machine.time(0) >= compare, true);
    }
  });
}

test('stimecmp does nothing while menvcfg.STCE is clear', (t) => {
  interpreted.program(COUNTER, { stimecmp: 1n, mie: 0x20n, mstatus: 8n });
  interpreted.run(1000);
  t.is(interpreted.get('traps'), 0n);
});

test('a timer set into the past fires before the next instruction', (t) => {
  const program = assemble(`
    li t0,1
    csrw stimecmp,t0
  next:
    nop
  loop: j loop
    .align 4
  handler: j handler`);
  interpreted.program(program, {
    ...{ timeBase: 100n, menvcfg: 1n << 63n, mie: 0x20n, mstatus: 8n },
    mtvec: program.address('handler'),
  });
  interpreted.runTo(program.address('handler'));
  t.is(interpreted.get('mepc'), program.address('next'));
});

test('a rebase changes how fast time runs, never what it is, and moves the timers', (t) => {
  const { machine } = interpreted;
  interpreted.program(COUNTER, {
    ...{ timeRate: TIME_PER_STEP, 'clint.mtimecmp': 1000n, mie: 0x80n, mstatus: 8n },
    mtvec: COUNTER.address('handler'),
  });
  interpreted.run(300);
  t.is(machine.time(0), 300n);
  machine.apply({ kind: 'rebase', hart: 0, step: 300n, rate: TIME_PER_STEP * 7n });
  t.is(machine.time(0), 300n);
  t.is(stepOfInterrupt(interpreted), 400n);
});

test('a rate of zero stops time until the next rebase', (t) => {
  const { machine } = interpreted;
  interpreted.program(COUNTER, {
    ...{ timeRate: 0n, timeBase: 7n, 'clint.mtimecmp': 10n, mie: 0x80n, mstatus: 8n },
    mtvec: COUNTER.address('handler'),
  });
  interpreted.run(5000);
  t.is(machine.time(0), 7n);
  machine.apply({ kind: 'rebase', hart: 0, step: 5000n, rate: TIME_PER_STEP });
  t.is(stepOfInterrupt(interpreted), 5003n);
});

test('WFI parks until a wake, which sets the time and takes the interrupt', (t) => {
  const { machine } = interpreted;
  const program = assemble(`
    wfi
  after: j after
    .align 4
  handler: j handler`);
  interpreted.program(program, {
    ...{ 'clint.mtimecmp': 5000n, mie: 0x80n, mstatus: 8n },
    mtvec: program.address('handler'),
  });
  t.deepEqual(interpreted.runUntil(100n), { reason: 'parked', deadline: 5000n });
  t.is(interpreted.step, 1n);
  t.true(machine.isParked(0));
  t.throws(() => machine.apply({ kind: 'wake', hart: 0, step: 1n, time: -1n }));
  machine.apply({ kind: 'wake', hart: 0, step: 1n, time: 5000n });
  t.is(machine.time(0), 5000n);
  interpreted.run(1);
  t.is(interpreted.get('pc'), program.address('handler'));
  t.is(interpreted.get('mepc'), program.address('after'));
});

test('WFI does not park while an enabled interrupt is pending, even if it is masked', (t) => {
  const program = assemble('wfi\n loop: j loop');
  interpreted.program(program, { mie: 2n, mipSoftware: 2n });
  t.is(interpreted.runUntil(10n).reason, 'reached');
});

test('WFI without any timer parks without a deadline', (t) => {
  interpreted.program(assemble('wfi\n loop: j loop'), { mie: 2n });
  t.deepEqual(interpreted.runUntil(10n), { reason: 'parked', deadline: null });
});

test('a point in the past is a broken invariant', (t) => {
  interpreted.program(COUNTER).run(10);
  t.throws(() => interpreted.runUntil(9n), { name: 'AssertionError' });
});
