/**
 * Goal: no path overruns its budget, and every path is counted in full.
 * Method: small programs assembled in the test, structured without a machine, and walked along
 * every path between checkpoints.
 */

import test from 'ava';
import { successors, type Region } from '../../../lib/jit/region.js';
import { longestPaths, owedSteps } from '../../../lib/jit/step-counts.js';
import { structureRegion } from '../../../lib/jit/structure.js';
import { LOOP, regionOf } from '../../support/region.js';

/** Two ways of different lengths that join in a loop. */
const JOIN = `
  beqz a0,other
  addi a1,a1,1
  addi a1,a1,2
  j join
other:
  addi a1,a1,3
join:
  addi a2,a2,1
  beqz a2,skip
  addi a3,a3,1
  addi a3,a3,1
skip:
  bnez a2,join
  ebreak`;

const lengthOf = (region: Region, pc: bigint): number =>
  region.blocks.get(pc)?.instructions.length ?? 0;

for (const [name, source] of Object.entries({ JOIN, LOOP })) {
  test(`no path between checkpoints is longer than the budget that is asked for (${name})`, (t) => {
    const region = regionOf(source);
    const { checkpoints } = structureRegion(region);
    const budgets = longestPaths(region, checkpoints);
    const walk = (pc: bigint, spent: number, limit: number): void => {
      const block = region.blocks.get(pc);
      const after = spent + lengthOf(region, pc);
      t.true(after <= limit);
      for (const next of block === undefined ? [] : successors(block, region)) {
        if (!checkpoints.has(next)) walk(next, after, limit);
      }
    };
    for (const [pc, budget] of budgets) walk(pc, 0, budget);
  });

  test(`what is owed and what is settled come to the steps of every path (${name})`, (t) => {
    const region = regionOf(source);
    const { checkpoints } = structureRegion(region);
    const owed = owedSteps(region, checkpoints);
    const owedAt = (pc: bigint): number => owed.get(pc) ?? Number.NaN;
    let ends = 0;
    /** `settled` is what the budget was lowered by since the checkpoint. */
    const walk = (pc: bigint, steps: number, settled: number): void => {
      t.is(steps, settled + owedAt(pc));
      const block = region.blocks.get(pc);
      if (block === undefined) return;
      const after = steps + lengthOf(region, pc);
      for (const next of successors(block, region)) {
        const settles = owedAt(pc) + lengthOf(region, pc) - owedAt(next);
        t.true(settles >= 0, 'only forward');
        if (checkpoints.has(next)) t.is(settled + settles, after, `${ends++} paths to checkpoints`);
        else walk(next, after, settled + settles);
      }
    };
    for (const pc of checkpoints) {
      t.is(owedAt(pc), 0);
      walk(pc, 0, 0);
    }
    t.true(ends > 0);
  });
}
