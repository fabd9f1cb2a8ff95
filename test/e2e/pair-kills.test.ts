/**
 * Goal: a client that runs transactions without pause loses none, sees none twice and none out of
 * order, however often and whenever the primary is killed; the rate is stated, so an outage
 * cannot pass as success.
 * Method: a chain of kills on the real machine with the embedded ledger. LOCKSTEP_KILLS sets how
 * many (8 by default), LOCKSTEP_SEED which random moments.
 */

import test from 'ava';
import { KillChain, KILL_MOMENTS, LEDGER_MACHINE, percentile } from '../support/kill-run.js';
import { PairFixture } from '../support/pair.js';
import { Random } from '../support/random.js';

const KILLS = Number(process.env['LOCKSTEP_KILLS'] ?? '8');
const SEED = Number(process.env['LOCKSTEP_SEED'] ?? '1');
/** Transactions a second, outages and new backups included. */
const MIN_RATE = 20;

test.serial(`${KILLS} kills in a chain lose, double and reorder no transaction`, async (t) => {
  t.timeout(60_000 + KILLS * 60_000);
  const { script, flags } = LEDGER_MACHINE;
  const chain = new KillChain(new PairFixture(t, script, flags), new Random(SEED));
  const run = await chain.run(KILLS);
  const gaps = run.kills.map(({ gapMs }) => gapMs);
  t.log(
    `${run.answered} transactions, ${run.rate.toFixed(0)} a second; next answer after ` +
      `p50 ${percentile(gaps, 0.5).toFixed(0)} ms, worst ${Math.max(...gaps).toFixed(0)} ms`,
  );
  t.is(run.fault, null);
  t.is(run.kills.length, KILLS);
  t.true(run.rate >= MIN_RATE, `${run.rate} transactions a second`);
  for (const moment of KILL_MOMENTS.slice(0, KILLS)) {
    t.true(run.kills.some((kill) => kill.moment === moment));
  }
});
