/**
 * Goal: whatever is compiled, and whenever, the state of the machine is that of the interpreter.
 * Method: one program that does everything that makes exact execution hard, run by machines that
 * differ only in when they compile, stopped at the same places and compared word by word.
 */

import test from 'ava';
import { present } from '../../../lib/base/assert.js';
import { UNOBSERVED, type RegionStatistics } from '../../../lib/jit/region-observer.js';
import { DEFAULT_RATE } from '../../../lib/machine/config.js';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import { REGIONS_MAX } from '../../../lib/jit/region-cache.js';
import { assemble } from '../../support/assembler.js';
import { complaintsOf, runGenerating } from '../../support/code-cache-run.js';
import { Guest } from '../../support/program.js';
import { advance, loadMixed } from '../../support/program-mixed.js';
import { Random } from '../../support/random.js';

const INTERPRETED = { engine: 'interpreter', hotAfter: 0 } as const;
const compiledAfter = (hotAfter: number) => ({ engine: 'compiler', hotAfter }) as const;

test('compiled and interpreted runs agree at every stop (traps, timers, self-modification)', (t) => {
  const oracle = loadMixed(new Guest(INTERPRETED));
  const others = [1, 3, 50].map((hotAfter) => loadMixed(new Guest(compiledAfter(hotAfter))));
  const random = new Random(20);
  let step = 0n;
  for (let stop = 0; stop < 150; stop++) {
    step += BigInt(1 + random.below(2_000));
    for (const guest of [oracle, ...others]) advance(guest, step);
    const words = oracle.machine.words();
    for (const guest of others) t.deepEqual(guest.machine.words(), words);
  }
  for (const guest of others) t.is(guest.fingerprint(), oracle.fingerprint());
});

test('a run cut at random step counts ends in the state of the uncut run (compiler forced)', (t) => {
  const whole = loadMixed(new Guest(compiledAfter(1)));
  const last = 300_000n;
  advance(whole, last);
  const random = new Random(7);
  for (const longest of [3, 40, 1_000]) {
    const cut = loadMixed(new Guest(compiledAfter(1)));
    const cutsEnd = longest === 3 ? 20_000n : last;
    for (let step = 0n; step < cutsEnd;) {
      step += BigInt(1 + random.below(longest));
      if (step > cutsEnd) step = cutsEnd;
      advance(cut, step);
    }
    advance(cut, last);
    t.is(cut.fingerprint(), whole.fingerprint());
  }
});

test('a snapshot taken in compiled code goes on in interpreted code to the same state', (t) => {
  const compiled = loadMixed(new Guest(compiledAfter(1)));
  advance(compiled, 77_777n);
  const interpreted = new Guest(INTERPRETED).copyFrom(compiled);
  advance(compiled, 150_000n);
  advance(interpreted, 150_000n);
  t.is(interpreted.fingerprint(), compiled.fingerprint());
});

test('an observer sees every region, and the counts of those that are left', (t) => {
  const seen: { instructions: number; bytes: number }[] = [];
  const told: RegionStatistics[] = [];
  let clock = 0n;
  const guest = loadMixed(
    new Guest(compiledAfter(2), {
      monotonicNs: () => (clock += 10n),
      changed: (statistics) => told.push({ ...statistics }),
      compiled: ({ region, bytes }) =>
        seen.push({ instructions: region.instructionCount, bytes: bytes.length }),
    }),
  );
  advance(guest, 100_000n);
  const last = present(told.at(-1), 'statistics');
  t.true(seen.length > 3);
  t.is(last.compiled, seen.length);
  t.is(last.live, last.compiled - last.dropped);
  t.is(
    last.instructions,
    seen.reduce((sum, { instructions }) => sum + instructions, 0),
  );
  t.true(last.liveBytes > 0 && last.liveBytes <= seen.reduce((sum, { bytes }) => sum + bytes, 0));
  t.true(last.compileNs >= 10n * BigInt(last.compiled));
  const quiet = loadMixed(new Guest(compiledAfter(2)));
  advance(quiet, 100_000n);
  t.is(quiet.fingerprint(), guest.fingerprint());
});

test('a loop in which the guest is found again and again is repeated, to the same state', (t) => {
  const source =
    'li s1,2000000\nagain:\n  addi a0,a0,3\n  addi s1,s1,-1\n  bnez s1,again\nend:\n  j end';
  const sizes: number[] = [];
  const compiled = new Guest(compiledAfter(2), {
    ...UNOBSERVED,
    compiled: ({ bytes }) => sizes.push(bytes.length),
  }).program(assemble(source));
  const interpreted = new Guest(INTERPRETED).program(assemble(source));
  for (let stretch = 0; stretch < 60; stretch++) {
    compiled.run(100_000);
    interpreted.run(100_000);
    t.is(compiled.get('a0'), interpreted.get('a0'));
  }
  t.is(compiled.fingerprint(), interpreted.fingerprint());
  t.true(Math.max(...sizes) > (sizes[0] ?? 0), 'compiled again, with more code');
});

/** Of the program that generates code: compiled code is left at each, and entered behind it. */
const STORES = 5;

test('generated code without end: memory is bounded, and code in use stays compiled', (t) => {
  t.timeout(180_000);
  const run = runGenerating(200_000_000n, () => undefined);
  t.deepEqual(complaintsOf(run), []);
  // Twice what may live at once, so that the bound was met.
  t.true((run.samples.at(-1)?.statistics.compiled ?? 0) > 2 * REGIONS_MAX);
  t.true(run.generatorCompiled <= 1 + STORES, 'once, and behind each store that leaves its code');
});

test('the engine has no part in the digest of the machine', (t) => {
  const config = {
    memoryBytes: 2 ** 21,
    harts: 1,
    schedule: 'turns' as const,
    append: '',
    initialRate: DEFAULT_RATE,
    rtcStartSeconds: 0n,
    rngSeed: new Uint8Array(0),
    network: null,
    disks: [],
  };
  const images = { bios: Uint8Array.of(0x6f, 0, 0, 0), kernel: null, initrd: null };
  const [first, second] = [INTERPRETED, compiledAfter(9)].map(
    (engine) => createRiscvMachine(config, images, engine).digest,
  );
  t.is(first, second);
});

test('a region that leaves an access to the interpreter again and again is entered behind it', (t) => {
  // No TLB has a page of code for stores.
  const source = `
  auipc s0,0
  li s1,3000
again:
  addi a0,a0,3
  sd a0,1024(s0)
  xori a0,a0,5
  addi s1,s1,-1
  bnez s1,again
end:
  j end`;
  const entries: bigint[] = [];
  const program = assemble(source);
  const compiled = new Guest(compiledAfter(16), {
    ...UNOBSERVED,
    compiled: ({ region }) => entries.push(region.start),
  }).program(program);
  const interpreted = new Guest(INTERPRETED).program(program);
  compiled.run(20_000);
  interpreted.run(20_000);
  t.is(compiled.fingerprint(), interpreted.fingerprint());
  t.true(entries.includes(program.address('again') + 8n), 'the instruction behind the store');
  t.is(new Set(entries).size, entries.length, 'and nothing is compiled twice');
});
