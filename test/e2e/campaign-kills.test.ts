/**
 * Goal: whenever the primary is killed, every acknowledged transaction is in the machine that goes
 * on, once and in order; the console goes on at the right byte; the status is true; and the dead
 * primary's log on disk leads to the promoted machine's state.
 * Method: the campaign of `npm run campaign:kills`, short: real processes, the real machine with
 * the ledger, and with Debian from a snapshot. LOCKSTEP_KILLS, LOCKSTEP_DEBIAN_KILLS and
 * LOCKSTEP_SEED set other numbers.
 *
 * A campaign that is ended early clears up behind itself.
 *
 * The part with Debian is skipped, with a message, where the images can't be had.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { until } from '../../tools/demo/node-process.js';
import { debianGuest, ledgerGuest, type CampaignGuest } from '../support/campaign-guests.js';
import { KILL_KINDS, KillCampaign } from '../support/campaign-kills.js';
import { summarize } from '../support/campaign-summary.js';
import { debianImage } from '../support/debian.js';

const LEDGER_KILLS = Number(process.env['LOCKSTEP_KILLS'] ?? '4');
const DEBIAN_KILLS = Number(process.env['LOCKSTEP_DEBIAN_KILLS'] ?? '1');
const SEED = Number(process.env['LOCKSTEP_SEED'] ?? '1');
const LOAD_MS = 500;
/** Other tests share the machine; the campaign by itself asks for more. */
const RATE_SHARE = 0.25;

const CAMPAIGN = fileURLToPath(new URL('../campaign/kills.js', import.meta.url));

async function survive(t: ExecutionContext, guest: CampaignGuest, kills: number): Promise<void> {
  const startMs = performance.now();
  const campaign = new KillCampaign({
    ...guest,
    minRate: guest.minRate * RATE_SHARE,
    seed: SEED,
    loadMs: LOAD_MS,
  });
  t.teardown(async () => {
    await campaign.close();
    guest.close();
  });
  await campaign.start();
  await campaign.run(kills);
  const summary = summarize(
    campaign.records,
    campaign.checkTimes,
    (performance.now() - startMs) / 1000,
  );
  const { p50, max } = summary.failover.all;
  t.log(
    `${summary.transactions} transactions, at least ${summary.leastRate.toFixed(0)} a second; ` +
      `kill to first output p50 ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`,
  );
  t.is(summary.kills, kills);
}

test.serial(`kills of the ledger's primary lose nothing (${LEDGER_KILLS})`, async (t) => {
  t.timeout(60_000 + LEDGER_KILLS * 60_000);
  await survive(t, ledgerGuest(), LEDGER_KILLS);
  t.true(LEDGER_KILLS % KILL_KINDS.length === 0, 'each kind of kill as often as the others');
});

test.serial(`kills of Debian's primary lose no line of its shell (${DEBIAN_KILLS})`, async (t) => {
  t.timeout(400_000 + DEBIAN_KILLS * 120_000);
  if ((await debianImage(t)) === null) return;
  await survive(t, await debianGuest((text) => t.log(text)), DEBIAN_KILLS);
});

/** Processes of this host whose command line names a folder. */
function processesIn(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => commandLine(pid).includes(folder));
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'cmdline'), 'latin1');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

test.serial('a campaign that a signal ends leaves neither nodes nor folders', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-signal-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const campaign = spawn(process.execPath, [CAMPAIGN, '--kills', '1'], {
    env: { ...process.env, TMPDIR: folder },
    stdio: 'ignore',
  });
  t.teardown(() => campaign.kill('SIGKILL'));
  const exit = once(campaign, 'exit');
  await until('two nodes', () => processesIn(folder).length === 2);
  campaign.kill('SIGTERM');
  t.deepEqual(await exit, [128 + 15, null]);
  await until('the end of the nodes', () => processesIn(folder).length === 0);
  t.deepEqual(readdirSync(folder), []);
});
