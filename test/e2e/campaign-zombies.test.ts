/**
 * Goal: a primary that is stopped, replaced and continued is heard by nobody, and ends as fenced.
 * Method: the campaign of `npm run campaign:zombies`, short. LOCKSTEP_ZOMBIES and LOCKSTEP_SEED
 * set other numbers.
 */

import test from 'ava';
import { ledgerGuest } from '../support/campaign-guests.js';
import { ZombieCampaign } from '../support/campaign-zombies.js';

const CYCLES = Number(process.env['LOCKSTEP_ZOMBIES'] ?? '2');
const SEED = Number(process.env['LOCKSTEP_SEED'] ?? '1');

test.serial(`of ${CYCLES} primaries woken after their replacement no byte is taken`, async (t) => {
  t.timeout(60_000 + CYCLES * 60_000);
  const campaign = new ZombieCampaign({ ...ledgerGuest(), seed: SEED });
  t.teardown(() => campaign.fleet.close());
  await campaign.run(CYCLES);
  t.is(campaign.records.length, CYCLES);
  const lateBytes = campaign.records.reduce((sum, record) => sum + record.lateBytes, 0);
  t.log(`${lateBytes} bytes of an old epoch were sent, 0 taken`);
});
