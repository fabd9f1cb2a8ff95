/**
 * Goal: a pair whose arbiter is etcd fails over as one whose arbiter is a directory does; without a
 * majority of etcd it waits, and goes on when there is one.
 * Method: real processes around the toy machine, Debian's etcd, SIGKILL and SIGSTOP of both.
 */

import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { EtcdArbiter } from '../../lib/arbiter/etcd-arbiter.js';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { EtcdCluster, findEtcd } from '../support/etcd.js';
import { ledgerLine, PairFixture } from '../support/pair.js';

/** Long enough that a claim which could be answered would have been. */
const UNANSWERED_MS = 3_000;

async function cluster(t: ExecutionContext, size: number): Promise<EtcdCluster | null> {
  const program = await findEtcd();
  if (program === null) {
    t.log('skipped: etcd is not installed');
    t.pass();
    return null;
  }
  const etcd = await EtcdCluster.start(program, size);
  t.teardown(() => etcd.close());
  return etcd;
}

test.serial('kills in a chain, the arbiter three members of which one dies', async (t) => {
  const etcd = await cluster(t, 3);
  if (etcd === null) return;
  const fixture = new PairFixture(t);
  const flags = ['--arbiter', `${etcd.target}/e2e`];
  let { primary, backup } = await fixture.pair(...flags);
  const nodes = [primary, backup];
  let sent = 0;
  for (let round = 1; round <= 3; round += 1) {
    const log = await fixture.console(nodes);
    log.send(`${(sent += 1)}\n`);
    await log.line(sent - 1);
    primary.signal('SIGKILL');
    if (round === 2) etcd.signal(0, 'SIGKILL');
    await backup.heard('promoting -> promoted');
    const won = await backup.heard('arbiter: won');
    t.true(Number(won['token']) > 0, 'the revision of the record is told');
    log.send(`${(sent += 1)}\n`);
    t.is(await log.line(sent - 1), ledgerLine(sent));
    primary = backup;
    backup = await fixture.backup([primary], ...flags);
    await primary.heard('protecting -> protected');
    nodes.push(backup);
  }
  const arbiter = new EtcdArbiter(etcd.endpoints, 'e2e');
  t.teardown(() => arbiter.close());
  const newest = await arbiter.newest('machine');
  t.is(newest?.generation, 4n);
  t.is(newest?.holder.address, await primary.address());
});

test.serial('without an answer nobody speaks; with it the successor does', async (t) => {
  const etcd = await cluster(t, 1);
  if (etcd === null) return;
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair('--arbiter', etcd.target);
  const log = await fixture.console([primary, backup]);
  log.send('1\n');
  await log.line(0);
  etcd.signal(0, 'SIGSTOP');
  // A pair that is whole needs no arbiter.
  log.send('2\n');
  await log.line(1);
  t.is((await primary.status()).protection, Protection.PROTECTED);
  primary.signal('SIGKILL');
  await backup.heard('arbiter: unavailable');
  log.send('3\n');
  await delay(UNANSWERED_MS);
  t.is(log.lines.length, 2);
  t.falsy(backup.journal.find(({ event }) => event === 'promoting -> promoted'));
  etcd.signal(0, 'SIGCONT');
  t.is(await log.line(2), ledgerLine(3));
});

test.serial('a primary that was asleep finds its epoch taken', async (t) => {
  const etcd = await cluster(t, 1);
  if (etcd === null) return;
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair('--arbiter', etcd.target);
  primary.signal('SIGSTOP');
  await backup.heard('promoting -> promoted');
  primary.signal('SIGCONT');
  t.is(await primary.exit(), EXIT_STATUS.FENCED);
});
