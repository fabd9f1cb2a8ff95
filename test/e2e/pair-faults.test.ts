/**
 * Goal: a pair stops or waits where it has to, says the truth about itself, and its memory and
 * its log stay bounded.
 * Method: real processes around the toy machine, with a flipped bit, a frozen backup, a flood of
 * output; what the nodes tell is compared with each other.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { Protection, Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { readMetrics, residentBytes, series } from '../support/node-figures.js';
import { PairFixture, until } from '../support/pair.js';

test.serial(
  'a replica with a flipped bit stops, tells the place, and is not promoted',
  async (t) => {
    const fixture = new PairFixture(t);
    const primary = fixture.primary();
    const backup = await fixture.backup([primary], '--flipped');
    await primary.heard('protecting -> protected');
    const log = await fixture.console([primary]);
    log.send('spin 100000\n');
    // The toy writes to page 5 at its 1st and 33rd number; then it works until pages are checked.
    for (let number = 1; number <= 33; number += 1) log.send('7\n');
    await log.line(32);
    log.send('spin 40000000\n');
    t.is(await backup.exit(), EXIT_STATUS.DIVERGED);
    const told = await backup.heard('diverged');
    t.regex(String(told['detail']), /page 5/);
    t.regex(String(told['reproduce']), /lockstep replay --log .*log-1/);
    log.send('7\n');
    t.is(await log.line(33), '34 7 238');
    t.is((await primary.status()).role, Role.PRIMARY);
    t.is((await primary.status()).protection, Protection.UNPROTECTED);
  },
);

test.serial('with the backup frozen a flood of output slows the guest, not the host', async (t) => {
  const fixture = new PairFixture(t);
  const metrics = ['--metrics', '127.0.0.1:0', '--suspect-ms', '30000'];
  const { primary, backup } = await fixture.pair(...metrics);
  const log = await fixture.console([primary]);
  log.send('1\n');
  await log.line(0);
  const before = residentBytes(primary);
  backup.signal('SIGSTOP');
  await delay(200);
  log.send('print 2000000\n');
  await until('held output', async () => (await primary.status()).heldOutputBytes > 0n);
  await delay(3_000);
  const { heldOutputBytes } = await primary.status();
  t.true(heldOutputBytes < 16n * 1024n * 1024n, `${heldOutputBytes} bytes held`);
  const share = series(await readMetrics(primary), 'lockstep_primary_throttle_ratio');
  t.true(share < 0.5, `the guest has ${share} of its time`);
  const grown = residentBytes(primary) - before;
  t.log(`resident memory grew by ${Math.round(grown / 1024 / 1024)} MiB`);
  t.true(grown < 200 * 1024 * 1024);
  t.is(log.bytes, '1 1 1\n'.length);
  backup.signal('SIGCONT');
  await log.line(1_000);
});

test.serial('both nodes tell the same state, and metrics say what status says', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair('--metrics', '127.0.0.1:0');
  const log = await fixture.console([primary]);
  for (let number = 1; number <= 200; number += 1) log.send(`${number}\n`);
  await log.line(199);
  const [first, second] = await Promise.all([primary.status(), backup.status()]);
  t.deepEqual(
    [first.role, second.role, first.protection, second.protection],
    [Role.PRIMARY, Role.BACKUP, Protection.PROTECTED, Protection.PROTECTED],
  );
  t.is(first.machineDigest, second.machineDigest);
  t.is(second.primaryAddress, first.address);
  t.deepEqual(first.backupAddresses, [second.address]);
  for (const [node, role] of [
    [primary, 'primary'],
    [backup, 'backup'],
  ] as const) {
    const page = await readMetrics(node);
    t.is(series(page, `lockstep_role{role="${role}"}`), 1);
    t.is(series(page, 'lockstep_protection_state{state="protected"}'), 1);
    t.is(series(page, 'lockstep_epoch'), 1);
    t.true(series(page, 'lockstep_log_records_total{kind="console-input"}') > 0);
  }
  const page = await readMetrics(primary);
  t.true(series(page, 'lockstep_output_commit_delay_seconds_count{stream="uart"}') > 0);
  t.true(series(page, 'lockstep_ack_rtt_seconds_count') > 0);
});

test.serial('the log of a killed primary and of its successor are one history', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const log = await fixture.console([primary, backup]);
  for (let number = 1; number <= 300; number += 1) log.send(`${number}\n`);
  await log.line(100);
  primary.signal('SIGKILL');
  const promoted = await backup.heard('promoting -> promoted');
  log.send('301\n');
  await log.line(300);
  const end = BigInt(/drained to (\d+)/.exec(String(promoted['detail']))?.[1] ?? '0');
  await backup.kill();
  const chains = [1, 2].map((node) => {
    const reader = LogReader.open(join(fixture.folder, `node-${node}`, 'log-1'));
    const hashes = new Map<bigint, string>();
    for (const { batch } of reader.batches()) {
      const last = batch.entries.at(-1)?.seq ?? 0n;
      hashes.set(last, Buffer.from(batch.hash).toString('hex'));
    }
    return hashes;
  });
  // Whatever the backup had is in the dead primary's file, with the same chain of hashes.
  t.true(end > 0n);
  t.truthy(chains[0]?.get(end));
  t.is(chains[0]?.get(end), chains[1]?.get(end));
  const after = [...(chains[1]?.keys() ?? [])].filter((seq) => seq > end);
  t.true(after.length > 0, 'the successor goes on in the same log');
});
