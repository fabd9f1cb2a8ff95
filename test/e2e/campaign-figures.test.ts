/**
 * Goal: every figure of a pair can be measured, and those that no host can spoil are as promised:
 * the counts of both sides agree, and an idle guest's log grows.
 * Method: the measurements of `npm run campaign:figures`, short. How good the times are is for that
 * command to judge, on a machine that has nothing else to do. The failover time is measured by
 * campaign-kills.test.ts too.
 */

import test from 'ava';
import { DEFAULT_FIGURE_OPTIONS, FIGURES, type Figure } from '../support/campaign-figures.js';

const SHORT = { ...DEFAULT_FIGURE_OPTIONS, samples: 200, idleMs: 2_000 };
const IDS = ['idle-log', 'output-delay-idle', 'output-delay-busy', 'lag-truth'];

for (const id of IDS) {
  test.serial(`the figures of ${id} are measured`, async (t) => {
    const figures: readonly Figure[] = (await FIGURES[id]?.(SHORT)) ?? [];
    t.true(figures.some(({ limit }) => limit !== null));
    for (const { name, value, unit, limit } of figures) {
      t.log(`${name}: ${value.toPrecision(3)} ${unit}`);
      t.true(Number.isFinite(value) && value >= 0, name);
      if (limit === 0) t.is(value, 0, name);
    }
    t.true((figures[0]?.value ?? 0) > 0);
  });
}
