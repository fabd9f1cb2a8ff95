/**
 * Goal: protection comes back by itself, from spare hosts and from hosts that return; several
 * backups protect at once; a replica that only verifies is never in the way.
 * Method: real processes around the toy ledger, as in pair-failover.test.ts. Hosts of a pool are
 * started with one command line each, which is all that looks after them.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { BackupStage, Protection, Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import {
  ledgerLine,
  PairFixture,
  until,
  type ConsoleLog,
  type NodeProcess,
  type PoolHost,
} from '../support/pair.js';

/** Sends the next `count` numbers and checks the answers to them. */
async function transact(t: ExecutionContext, log: ConsoleLog, count: number): Promise<void> {
  const first = log.lines.length + 1;
  for (let number = first; number < first + count; number += 1) {
    log.send(`${number}\n`);
    if (number % 8 === 0) await log.line(number - 1);
  }
  await log.line(first + count - 2);
  for (let number = first; number < first + count; number += 1) {
    t.is(log.lines[number - 1], ledgerLine(number));
  }
}

/** How many backups of a primary are in `stage`. */
async function backupsIn(primary: NodeProcess, stage: BackupStage): Promise<number> {
  const { backups } = await primary.status();
  return backups.filter((backup) => backup.stage === stage).length;
}

/** The primary among `nodes`, once `counted` backups protect it and `waiting` stand by. */
async function whole(
  nodes: () => readonly NodeProcess[],
  counted: number,
  waiting: number,
): Promise<NodeProcess> {
  return until(`a primary with ${counted} backups and ${waiting} spares`, async () => {
    for (const node of nodes()) {
      const status = await node.status().catch(() => null);
      if (status?.role !== Role.PRIMARY || status.protection !== Protection.PROTECTED) continue;
      const found = [BackupStage.COUNTED, BackupStage.WAITING].map(
        (stage) => status.backups.filter((backup) => backup.stage === stage).length,
      );
      if (found[0] === counted && found[1] === waiting) return node;
    }
    return null;
  });
}

function hostOf(hosts: readonly PoolHost[], node: NodeProcess): PoolHost {
  const host = hosts.find((one) => one.node === node);
  if (host === undefined) throw new Error('a node of no host');
  return host;
}

test.serial('a pool takes the death of one host after another without a hand', async (t) => {
  const fixture = new PairFixture(t);
  const hosts = fixture.pool(3);
  const nodes = (): NodeProcess[] => hosts.map(({ node }) => node);
  await whole(nodes, 1, 1);
  const log = await fixture.console(nodes());
  for (let round = 0; round < 4; round += 1) {
    const primary = await whole(nodes, 1, 1);
    const load = transact(t, log, 160);
    await log.line(log.lines.length + 60);
    primary.signal('SIGKILL');
    await load;
    // The spare has joined although the dead host is still away.
    const next = await whole(() => nodes().filter((node) => node !== primary), 1, 0);
    t.true((await next.status()).promotions >= 1);
    const host = hostOf(hosts, primary);
    host.node = host.start();
  }
  t.is(log.lines.length, 4 * 160);
});

test.serial('a host that was asleep while the machine moved on follows again', async (t) => {
  const fixture = new PairFixture(t);
  const hosts = fixture.pool(2);
  const nodes = (): NodeProcess[] => hosts.map(({ node }) => node);
  const sleeper = await whole(nodes, 1, 0);
  const log = await fixture.console(nodes());
  await transact(t, log, 40);
  sleeper.signal('SIGSTOP');
  await transact(t, log, 40);
  sleeper.signal('SIGCONT');
  await sleeper.heard('follows again');
  const primary = await whole(nodes, 1, 0);
  t.not(primary, sleeper);
  t.is((await sleeper.status()).role, Role.BACKUP);
  await transact(t, log, 40);
  primary.signal('SIGKILL');
  await transact(t, log, 40);
  t.is((await sleeper.status()).role, Role.PRIMARY);
});

test.serial('of two backups one takes over and the other follows it', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary('--backups', '2');
  const flags = ['--backups', '2', '--rejoin'];
  const first = await fixture.backup([primary], ...flags);
  const second = await fixture.backup([primary, first], ...flags);
  const log = await fixture.console([primary, first, second]);
  await whole(() => [primary], 2, 0);
  await transact(t, log, 60);
  primary.signal('SIGKILL');
  await transact(t, log, 60);
  const next = await whole(() => [first, second], 1, 0);
  const other = next === first ? second : first;
  await transact(t, log, 20);
  next.signal('SIGKILL');
  await transact(t, log, 60);
  t.is((await other.status()).role, Role.PRIMARY);
  t.is((await other.status()).epoch, 3n);
});

test.serial('with two backups the loss of one leaves no moment without the other', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary('--backups', '2');
  const first = await fixture.backup([primary], '--backups', '2');
  const second = await fixture.backup([primary], '--backups', '2');
  const log = await fixture.console([primary, first, second]);
  await whole(() => [primary], 2, 0);
  const load = transact(t, log, 200);
  await log.line(80);
  first.signal('SIGKILL');
  await load;
  // No copy of the machine was made anew: the one that is left goes on from where it was.
  await whole(() => [primary], 1, 0);
  t.is(second.journal.filter(({ event }) => event === 'following -> protecting').length, 2);
  t.false(second.journal.some(({ event }) => event === 'protecting -> arbitrating'));
  primary.signal('SIGKILL');
  await transact(t, log, 60);
  t.is((await second.status()).role, Role.PRIMARY);
});

test.serial('a verifier follows one primary after another and holds up nobody', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const verifier = await fixture.backup([primary, backup], '--verify-only');
  const log = await fixture.console([primary, backup]);
  await until('a verifier', async () => (await backupsIn(primary, BackupStage.VERIFYING)) === 1);
  t.is((await verifier.status()).role, Role.VERIFIER);
  verifier.signal('SIGSTOP');
  await transact(t, log, 60);
  verifier.signal('SIGCONT');
  primary.signal('SIGKILL');
  await transact(t, log, 60);
  await until('the verifier', async () => (await backupsIn(backup, BackupStage.VERIFYING)) === 1);
  t.is((await backup.status()).protection, Protection.UNPROTECTED);
  const { recordedSeq } = await backup.status();
  await until('all replayed', async () => (await verifier.status()).appliedSeq >= recordedSeq);
  backup.signal('SIGKILL');
  await until('silence', async () => (await verifier.status()).primaryAddress === '');
  t.is((await verifier.status()).role, Role.VERIFIER);
  t.deepEqual(readdirSync(fixture.arbiter).length, 2, 'it claimed nothing');
});

test.serial('a verifier finds a flipped bit, and the pair goes on protected', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const verifier = await fixture.backup([primary], '--verify-only', '--flipped');
  const log = await fixture.console([primary, backup]);
  log.send('spin 100000\n');
  // As in pair-faults.test.ts: the toy writes to the flipped page at its 1st and 33rd number.
  for (let number = 1; number <= 33; number += 1) log.send('7\n');
  await log.line(32);
  log.send('spin 40000000\n');
  t.is(await verifier.exit(), EXIT_STATUS.DIVERGED);
  log.send('7\n');
  t.is(await log.line(33), '34 7 238');
  t.is((await primary.status()).protection, Protection.PROTECTED);
  t.true(readdirSync(join(fixture.folder, 'node-3')).length > 0, 'its log is kept');
});
