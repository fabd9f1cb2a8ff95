/**
 * Goal: nothing of how a guest is executed shows in its state: interpreted, compiled from the first
 * jump on, compiled at random moments with the cache emptied at random moments, by one of V8's
 * compilers only.
 * Method: one guest in every way, stopped at the same random instruction counts, its state hashed
 * at each. `npm run campaign:engines` is the long form, with more guests and 100,000 stops.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { present } from '../../lib/base/assert.js';
import { subjectOf } from '../support/engine-subjects.js';
import { firstDifference, hashesOf, INTERPRETED, VARIANTS } from '../support/engine-variants.js';

const run = promisify(execFile);
const CAMPAIGN = new URL('../campaign/engines.js', import.meta.url).pathname;
const SEED = 3;
/** Guests and stops: what writes code, what changes address spaces, what faults. */
const SHORT = [
  ['mixed', 3_000],
  ['modify', 120],
  ['paging', 120],
  ['switch', 120],
  ['nbody', 60],
] as const;

for (const [name, stops] of SHORT) {
  test.serial(`equal state at every stop, whatever compiles and when (${name})`, async (t) => {
    const subject = present(await subjectOf(name), name);
    const plan = { subject, seed: SEED, stops };
    const expected = [...hashesOf({ ...plan, variant: INTERPRETED })];
    t.is(expected.length, stops);
    for (const variant of VARIANTS.filter(({ nodeFlags }) => nodeFlags.length === 0)) {
      const difference = firstDifference(expected, [...hashesOf({ ...plan, variant })]);
      t.is(difference, null, variant.name);
    }
  });
}

test.serial("equal state at every stop by either of V8's compilers (mixed)", async (t) => {
  const words = ['--subject', 'mixed', '--stops', '1000', '--seed', '4'];
  const { stdout } = await run(process.execPath, [CAMPAIGN, ...words]);
  for (const { name } of VARIANTS) t.regex(stdout, new RegExp(`${name}: 1000 stops equal`));
});

test.serial('a run that differs in one register at one stop is told apart', async (t) => {
  const subject = present(await subjectOf('mixed'), 'mixed');
  const run200 = (): string[] => [
    ...hashesOf({ subject, variant: INTERPRETED, seed: 5, stops: 200 }),
  ];
  const damaged = { ...subject, create: damagedCreate(subject.create) };
  const other = [...hashesOf({ subject: damaged, variant: INTERPRETED, seed: 5, stops: 200 })];
  t.regex(firstDifference(run200(), other) ?? '', /^stop 0: /);
});

type Create = NonNullable<Awaited<ReturnType<typeof subjectOf>>>['create'];

/** Restores the machine with the lowest bit of one register flipped. */
function damagedCreate(create: Create): Create {
  return (engine, regions) => {
    const machine = create(engine, regions);
    const words = machine.saveWords();
    const index = [...machine.words().keys()].find((at) => machine.wordName(at) === 'hart0.x[9]');
    words[(index ?? 0) * 8] = (words[(index ?? 0) * 8] ?? 0) ^ 1;
    const pages = Array.from({ length: machine.ramPageCount }, (_, page) => page).flatMap(
      (page) => {
        const bytes = machine.savePage(page);
        return bytes === null ? [] : [[page, bytes] as const];
      },
    );
    machine.restore(words, pages);
    return machine;
  };
}
