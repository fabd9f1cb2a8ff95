/**
 * Goal: harts that take turns do the same whatever runs them, and stop at any point asked for.
 * Method: programs of several harts, interpreted and compiled, stopped at points of each.
 */

import test from 'ava';
import { UNOBSERVED } from '../../../lib/jit/region-observer.js';
import type { EngineOptions } from '../../../lib/machine/engine.js';
import { TURN_STEPS } from '../../../lib/machine/hart-turns.js';
import { assemble, type Assembled } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER } from '../../support/program.js';
import { PageTables } from '../../support/program-paging.js';
import { Random } from '../../support/random.js';

const several = (harts: number, engine: EngineOptions = INTERPRETER): Guest =>
  new Guest(engine, UNOBSERVED, harts);

const DATA = 0x8000_1000;

/** Every hart adds to one counter, with LR/SC, AMO and a plain store of its own. */
const COUNTERS = assemble(`
  csrr a0,mhartid
  li a1,${DATA}
  slli a2,a0,3
  add a2,a2,a1
loop:
  li t0,1
  amoadd.d t1,t0,(a1)
again:
  addi a3,a1,64
  lr.d t2,(a3)
  addi t2,t2,1
  sc.d t3,t2,(a3)
  bnez t3,again
  ld t4,128(a2)
  addi t4,t4,1
  sd t4,128(a2)
  j loop`);

function load(guest: Guest, program: Assembled): Guest {
  return guest.program(program);
}

test('what harts count together adds up, whatever their number', (t) => {
  for (const harts of [2, 3, 8]) {
    const guest = load(several(harts), COUNTERS);
    guest.machine.runFor(TURN_STEPS * 10n);
    const own = Array.from({ length: harts }, (_, hart) => guest.read(DATA + 128 + hart * 8, 8));
    const sum = own.reduce((total, count) => total + count, 0n);
    const [added, reserved] = [guest.read(DATA, 8), guest.read(DATA + 64, 8)];
    // A hart whose turn ended in the middle has counted in one place and not in the other yet.
    t.true(added - sum <= BigInt(harts) && added >= reserved && reserved >= sum, `${harts} harts`);
    t.true(own.every((count) => count > 100n));
  }
});

test('a run does not depend on how it is cut, nor on the engine', (t) => {
  const whole = load(several(3), COUNTERS);
  whole.machine.runFor(300_000n);
  const random = new Random(5);
  for (const engine of [INTERPRETER, COMPILER]) {
    const guest = load(several(3, engine), COUNTERS);
    while (guest.machine.steps() < 300_000n) {
      const left = Number(300_000n - guest.machine.steps());
      guest.machine.runFor(BigInt(Math.min(left, 1 + random.below(9000))));
    }
    t.is(guest.fingerprint(), whole.fingerprint());
  }
});

test('runUntil finds the moment at which a hart has its turn at a step', (t) => {
  const moments = load(several(2), COUNTERS);
  moments.machine.runFor(70_001n);
  const here = moments.machine.here();
  t.deepEqual(here, { hart: 1, step: 30_001n });
  const found = load(several(2, COMPILER), COUNTERS);
  t.deepEqual(found.machine.runUntil(here, 50_000n), { reason: 'paused' });
  t.is(found.machine.steps(), 50_000n);
  t.deepEqual(found.machine.runUntil(here), { reason: 'reached' });
  t.is(found.fingerprint(), moments.fingerprint());
});

/** Hart 1 counts software interrupts; hart 0 sends one and waits for a change. */
const INTERRUPTS = assemble(`
  csrr a0,mhartid
  li a1,${DATA}
  li a2,0x2000004
  li t0,8
  csrw mie,t0
  bnez a0,waiter
sender:
  ld t1,0(a1)
  li t2,1
  sw t2,0(a2)
spin:
  ld t3,0(a1)
  beq t1,t3,spin
  j sender
waiter:
  wfi
  csrr t1,mip
  andi t1,t1,8
  beqz t1,waiter
  sw zero,0(a2)
  ld t2,0(a1)
  addi t2,t2,1
  sd t2,0(a1)
  j waiter`);

test('a software interrupt ends the wait of another hart without an event from outside', (t) => {
  const guest = load(several(2), INTERRUPTS);
  t.is(guest.machine.runFor(TURN_STEPS * 20n).reason, 'reached');
  t.true(guest.read(DATA, 8) >= 15n);
});

test('virtual time never runs back from one hart to the next', (t) => {
  const guest = load(several(3), COUNTERS);
  let before = 0n;
  for (let round = 0; round < 200; round++) {
    guest.machine.runFor(997n);
    const now = guest.machine.time(guest.machine.here().hart);
    t.true(now >= before);
    before = now;
  }
  t.true(before >= 19_000n);
});

test('when all harts wait, the first timer says for how long, and a wake lets all go on', (t) => {
  const program = assemble('wfi\n loop: j loop');
  const guest = several(2).program(program, {
    ...{ mie: 0x80n, 'hart1.mie': 0x80n },
    ...{ 'clint.mtimecmp[0]': 9000n, 'clint.mtimecmp[1]': 5000n },
  });
  const { machine } = guest;
  t.deepEqual(machine.runFor(1000n), { reason: 'parked', deadline: 5000n });
  t.deepEqual(machine.here(), { hart: 1, step: 1n });
  t.true(machine.isIdle());
  machine.apply({ kind: 'wake', ...machine.here(), time: 5000n });
  t.is(machine.time(0), 5000n);
  t.is(machine.runFor(100n).reason, 'reached');
  t.is(machine.step(0), 1n, 'the timer of the other hart is not due');
  t.is(machine.step(1), 101n);
});

/** Hart 0 rewrites an instruction that hart 1 executes: addi t0,zero,N. */
const REWRITING = assemble(`
  csrr a0,mhartid
  li a1,${DATA}
  la a2,place
  lw t1,0(a2)
  lui a3,256
  bnez a0,runner
writer:
  add t1,t1,a3
  sw t1,0(a2)
  fence.i
  addi t2,t2,1
  li t3,500
  blt t2,t3,writer
  addi t2,zero,0
  la t4,original
  lw t1,0(t4)
  sw t1,0(a2)
  j writer
runner:
  li t5,300
inner:
  addi t5,t5,-1
place:
  addi t0,zero,0
  bnez t5,inner
  sd t0,8(a1)
  ld t6,16(a1)
  add t6,t6,t0
  sd t6,16(a1)
  j runner
original:
  addi t0,zero,0`);

test('code that another hart rewrites is executed as it is, compiled too', (t) => {
  const states = [INTERPRETER, COMPILER].map((engine) => {
    const guest = load(several(2, engine), REWRITING);
    guest.machine.runFor(TURN_STEPS * 30n);
    t.true(guest.read(DATA + 16, 8) > 0n);
    return guest.fingerprint();
  });
  t.is(states[0], states[1]);
});

test('a page table that another hart changes is obeyed at its next access', (t) => {
  const window = 0x4000_0000n;
  const tables = new PageTables().mapSame(0x8000_0000, 4).mapSame(0x8010_0000, 16);
  const entry = tables.map(window, 0x8000_2000n);
  const program = assemble(`
    csrr a0,sscratch
    li a1,${window}
    li a2,${entry}
    li a3,${DATA}
    bnez a0,reader
    ld t1,0(a2)
  writer:
    xori t1,t1,0x400
    sd t1,0(a2)
    li t3,3000
  pause:
    addi t3,t3,-1
    bnez t3,pause
    j writer
  reader:
    ld t2,0(a1)
    add t4,t4,t2
    sd t4,0(a3)
    j reader`);
  const states = [INTERPRETER, COMPILER].map((engine) => {
    const guest = several(2, engine).load(
      [
        [program.base, program.bytes],
        [0x8000_2000, Uint8Array.of(1)],
        [0x8000_3000, Uint8Array.of(0, 1)],
        ...tables.memory(),
      ],
      {
        ...{ privilege: 1n, satp: tables.satp, 'hart1.privilege': 1n, 'hart1.satp': tables.satp },
        ...{ 'hart0.pmpcfg[0]': 0x1fn, 'hart0.pmpaddr[0]': (1n << 54n) - 1n },
        ...{ 'hart1.pmpcfg[0]': 0x1fn, 'hart1.pmpaddr[0]': (1n << 54n) - 1n },
        'hart1.sscratch': 1n,
      },
    );
    guest.machine.runFor(TURN_STEPS * 16n);
    const sum = guest.read(DATA, 8);
    t.true((sum & 0xffn) > 0n && sum > 0x1000n, `both pages were read: ${sum}`);
    return guest.fingerprint();
  });
  t.is(states[0], states[1]);
});

test('a snapshot of several harts goes on as the original does', (t) => {
  const original = load(several(2), COUNTERS);
  original.machine.runFor(33_333n);
  const copy = several(2, COMPILER).copyFrom(original);
  for (const guest of [original, copy]) guest.machine.runFor(50_000n);
  t.is(copy.fingerprint(), original.fingerprint());
});

test('a reset starts every hart anew and keeps its steps', (t) => {
  const guest = load(several(2), COUNTERS);
  guest.machine.runFor(50_000n);
  const steps = [guest.machine.step(0), guest.machine.step(1)];
  guest.machine.apply({ kind: 'control', ...guest.machine.here(), action: 'reset' });
  t.deepEqual([guest.machine.step(0), guest.machine.step(1)], steps);
  t.is(guest.get('hart1.pc'), guest.get('hart0.pc'));
});
