/**
 * Goal: where all harts stand, time becomes that of the latest, lines arrive, and who waits for a
 * pending interrupt waits no more; doing it twice changes nothing.
 * Method: words of two harts, set by hand.
 */

import test from 'ava';
import { machineLayout } from '../../../../lib/machine/machine-layout.js';
import { Settlement } from '../../../../lib/machine/parallel/settlement.js';
import { SharedWords } from '../../../../lib/machine/parallel/shared-words.js';
import { HART_WORD } from '../../../../lib/riscv/hart-state.js';
import { PROGRAM_CONFIG } from '../../../support/program.js';

const CONFIG = { ...PROGRAM_CONFIG, harts: 2, schedule: 'parallel' as const };

function twoHarts() {
  const layout = machineLayout(CONFIG);
  const buffer = new SharedArrayBuffer(layout.totalBytes);
  const words = new SharedWords(2, layout, buffer);
  const settlement = new Settlement(words, layout, buffer);
  for (const { block } of settlement.harts) block.set(HART_WORD.timeRate, 1n << 32n);
  const snapshot = (): string =>
    settlement.harts.map(({ block }) => block.words.join(' ')).join(' | ');
  return { words, settlement, snapshot, harts: settlement.harts };
}

test('time becomes that of the hart that is furthest', (t) => {
  const { words, settlement, snapshot, harts } = twoHarts();
  words.steps.set([500, 20]);
  settlement.settle();
  t.deepEqual(
    harts.map((hart) => hart.time()),
    [500n, 500n],
  );
  const once = snapshot();
  settlement.settle();
  t.is(snapshot(), once);
});

test('a line wakes the hart that waits for it, and only that', (t) => {
  const { settlement, harts } = twoHarts();
  for (const { block } of harts) {
    block.set(HART_WORD.parked, 1n);
    block.set(HART_WORD.mie, 8n);
  }
  settlement.noteLine(1, 3, true);
  t.true(settlement.hasLines);
  settlement.settle();
  t.false(settlement.hasLines);
  t.deepEqual(
    harts.map((hart) => hart.parked),
    [true, false],
  );
  settlement.noteLine(1, 3, false);
  settlement.deliverLines();
  t.is((harts[1]?.block.get(HART_WORD.mipLines) ?? 0n) & 8n, 0n);
});
