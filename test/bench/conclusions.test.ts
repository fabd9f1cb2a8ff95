/**
 * Goal: what the benchmarks conclude from their measurements is right.
 * Method: invented times and answers, and the conclusions about them.
 */

import test from 'ava';
import { EMULATORS } from './emulators.js';
import { speedAgainst, timesOf, type Figure } from './figure.js';
import { parseAnswer, PROGRAMS } from './programs.js';
import { judge } from './promises.js';
import { figureRow, summarise, tableHead } from './report.js';
import { geometricMean, median } from './statistics.js';

/** Lockstep takes a second, the others as long as said. */
function figureOf(parts: Pick<Figure, 'name' | 'group'>, others: readonly number[]): Figure {
  const emulators = EMULATORS.map((emulator, index) => {
    const seconds = index === 0 ? 1 : (others[index - 1] ?? 1);
    return { emulator, seconds: [seconds], medianSeconds: seconds, peakBytes: 1e6 };
  });
  return { ...parts, what: '', emulators, retired: 5_000_000n };
}

function computeFigures(icountSeconds: (index: number) => number): Figure[] {
  return PROGRAMS.filter(({ group }) => group === 'compute').map((program, index) =>
    figureOf(program, [1, icountSeconds(index), 1]),
  );
}

test('medians stand in the middle, geometric means don’t care which side is one', (t) => {
  t.is(median([3, 1, 2]), 2);
  t.is(median([4, 1, 2, 3]), 2.5);
  t.true(Math.abs(geometricMean([0.5, 2]) - 1) < 1e-12);
});

test('an answer is read exactly, and only that of the program asked', (t) => {
  const [program] = PROGRAMS;
  if (program === undefined) throw new Error('no programs');
  const text = `${program.name} 0123456789abcdef 18446744073709551615 7\n`;
  t.deepEqual(parseAnswer(program, text), {
    checksum: '0123456789abcdef',
    retired: 2n ** 64n - 1n,
    calls: 7n,
  });
  t.is(parseAnswer(program, `x${text}`), null);
  t.is(parseAnswer(program, 'trap 0000000000000002 0 0'), null);
});

test('runs that failed have no part in a time', (t) => {
  const run = (status: number | null, seconds: number) => ({
    status,
    seconds,
    stdout: '',
    stderr: '',
    peakBytes: seconds,
  });
  const times = timesOf(
    new Map([
      ['lockstep', [run(0, 2), run(null, 150), run(0, 4)]],
      ['record', [run(null, 150)]],
    ] as const),
  );
  t.deepEqual(times, [{ emulator: 'lockstep', seconds: [2, 4], medianSeconds: 3, peakBytes: 4 }]);
});

test('a promise is kept by the mean and by the slowest program', (t) => {
  const verdicts = judge(
    computeFigures(() => 3),
    [],
  );
  t.deepEqual(
    verdicts.map(({ isKept }) => isKept),
    [true, true],
  );
  const oneSlow = judge(
    computeFigures((index) => (index === 0 ? 0.9 : 3)),
    [],
  );
  t.deepEqual(
    oneSlow.map(({ isKept }) => isKept),
    [true, false],
  );
});

test('what was not measured whole is not judged', (t) => {
  const some = computeFigures(() => 3).slice(1);
  t.deepEqual(judge(some, []), []);
  const boot = figureOf({ name: 'boot', group: 'boot' }, [1, 1, 0.5]);
  t.deepEqual(
    judge([...some, boot], []).map(({ id, value, isKept }) => [id, value, isKept]),
    [['bench-boot', 2, false]],
  );
  const unrecorded = { ...boot, emulators: boot.emulators.slice(0, 3) };
  t.is(speedAgainst(unrecorded, 'record'), null);
  t.deepEqual(judge([unrecorded], []), []);
});

test('a row stands under its titles, and a missing time is a dash', (t) => {
  const figure = figureOf({ name: 'boot', group: 'boot' }, [2, 3, 4]);
  const [, titles = ''] = tableHead(EMULATORS).split('\n');
  const shown = figureRow(figure, EMULATORS);
  t.is(titles.length, shown.length);
  t.is(shown.indexOf('2.00x') + 5, titles.indexOf('/qemu') + 5);
  t.regex(figureRow({ ...figure, emulators: figure.emulators.slice(0, 2) }, EMULATORS), / - /);
  t.is(summarise('boot', [figure], EMULATORS)?.faster.at(-1)?.mean, 4);
  t.is(summarise('kernel', [figure], EMULATORS), null);
});
