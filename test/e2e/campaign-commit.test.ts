/**
 * Goal: with acknowledgements cut one way no output byte leaves a real primary, its memory stays
 * bounded, and when the cut is mended everything goes on; who loses by a cut ends at once.
 * Method: a proxy between backup and primary that stops what the backup says and lets through what
 * the primary says, or both; a client on the primary that asks for output without end.
 */

import { renameSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { Protection, Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { CampaignClient } from '../support/campaign-client.js';
import { ledgerDialect } from '../support/campaign-dialects.js';
import { Fleet, LEDGER_FLAGS, statusOf, untilProtected } from '../support/campaign-fleet.js';
import { readMetrics, residentBytes, series } from '../support/node-figures.js';
import { CuttableProxy } from '../support/cuttable-proxy.js';

/** What held output, its log and their bookkeeping may add to the primary's memory. */
const MAX_GROWTH_BYTES = 128 * 2 ** 20;
const FLOOD_MS = 5_000;
/** From the words of a node that is fenced to its end: its sockets do not keep it. */
const LAST_WORDS_MS = 10_000;
/** Asked in one piece; each answer has some forty bytes. */
const QUESTIONS = 200;

interface Scene {
  readonly fleet: Fleet;
  readonly proxy: CuttableProxy;
  readonly primary: NodeProcess;
  readonly backup: NodeProcess;
  readonly client: CampaignClient;
}

async function setUp(t: ExecutionContext, ...flags: string[]): Promise<Scene> {
  const fleet = new Fleet(LEDGER_FLAGS);
  t.teardown(() => fleet.close());
  const primary = fleet.primary('--metrics', '127.0.0.1:0', ...flags);
  const proxy = await CuttableProxy.open(await primary.address());
  t.teardown(() => proxy.close());
  const backup = fleet.backupAt(proxy.address, ...flags);
  await untilProtected(primary);
  const addresses = [await primary.address(), await backup.address()];
  const client = new CampaignClient(addresses, ledgerDialect(), 8);
  t.teardown(() => client.close());
  await until('the greeting', () => client.reply(/^R /));
  client.run();
  await answers(client, 200);
  return { fleet, proxy, primary, backup, client };
}

async function answers(client: CampaignClient, count: number): Promise<void> {
  const wanted = client.answered + count;
  await until('answers', () => client.fault !== null || client.answered >= wanted);
}

/** Acks that were on their way have arrived: output waits, and no more of it leaves. */
async function untilHolding({ primary, client }: Scene): Promise<bigint> {
  await until('held output', async () => (await statusOf(primary)).heldOutputBytes > 0n);
  let offset = client.offset;
  await until('silence', async () => {
    const before = offset;
    await delay(100);
    offset = client.offset;
    return offset === before;
  });
  return offset;
}

test.serial('with acknowledgements cut, output stays and memory is bounded', async (t) => {
  // Nobody loses patience: the pair stays a pair.
  const scene = await setUp(t, '--suspect-ms', '20000');
  const { proxy, primary, client } = scene;
  proxy.cut('acks');
  const offset = await untilHolding(scene);
  const baseline = residentBytes(primary);
  let highest = baseline;
  const endMs = performance.now() + FLOOD_MS;
  while (performance.now() < endMs) {
    client.say('S\n'.repeat(QUESTIONS - 1) + 'S');
    await delay(100);
    highest = Math.max(highest, residentBytes(primary));
  }
  const page = await readMetrics(primary);
  const held = (await statusOf(primary)).heldOutputBytes;
  t.log(
    `held ${held} bytes; resident ${(baseline / 2 ** 20).toFixed(0)} MiB, at most ` +
      `${(highest / 2 ** 20).toFixed(0)} MiB; guest at ` +
      `${series(page, 'lockstep_primary_throttle_ratio')} of its speed`,
  );
  t.is(client.offset, offset);
  t.true(held > 0n);
  t.true(highest - baseline <= MAX_GROWTH_BYTES);
  t.true(series(page, 'lockstep_primary_throttle_ratio') < 0.5);
  proxy.mend();
  await answers(client, 200);
  t.is(client.fault, null);
  const status = await untilProtected(primary);
  t.is(status.epoch, 1n);
  t.is(status.role, Role.PRIMARY);
});

test.serial('a primary that hears nothing asks the arbiter before it speaks', async (t) => {
  const scene = await setUp(t);
  const { fleet, proxy, primary, backup, client } = scene;
  const hidden = `${fleet.arbiter}.hidden`;
  renameSync(fleet.arbiter, hidden);
  proxy.cut('acks');
  const offset = await untilHolding(scene);
  await primary.heard('protected -> arbitrating');
  const status = await statusOf(primary);
  t.is(status.protection, Protection.HOLDING);
  await delay(2_000);
  t.is(client.offset, offset);
  renameSync(hidden, fleet.arbiter);
  proxy.mend();
  await until(
    'a new epoch',
    () => client.fault !== null || (client.dawns.at(-1)?.epoch ?? 0n) > 1n,
  );
  await answers(client, 100);
  t.is(client.fault, null);
  // One of them won, and the other one is over.
  const lost = await until('the end of the other', () =>
    [primary, backup].find(({ child }) => child.exitCode !== null),
  );
  t.is(await lost.exit(), EXIT_STATUS.FENCED);
  const won = lost === primary ? backup : primary;
  t.is((await statusOf(won)).epoch, 2n);
});

test.serial('who loses by a cut that is never mended ends all the same', async (t) => {
  const { proxy, primary, backup, client } = await setUp(t, '--suspect-ms', '1000');
  proxy.cut('both');
  const lost = await until('the loser', () =>
    [primary, backup].find(({ stderr }) => stderr.some((line) => line.includes('FENCED'))),
  );
  const saidMs = performance.now();
  t.is(await lost.exit(), EXIT_STATUS.FENCED);
  t.true(performance.now() - saidMs < LAST_WORDS_MS);
  await answers(client, 100);
  t.is(client.fault, null);
});
