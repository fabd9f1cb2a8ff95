/**
 * Goal: whatever kills or freezes a primary, every transaction that a client saw answered is in
 * the machine that goes on, once and in order.
 * Method: real processes around the toy ledger, which never deduplicates; a console client that
 * sends numbers without pause; the answers show a lost, doubled or reordered transaction.
 */

import { renameSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Protection, Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { untilProtected } from '../support/campaign-fleet.js';
import { ledgerLine, PairFixture, until, type ConsoleLog } from '../support/pair.js';

/** Sends `count` numbers, at most `ahead` of them unanswered, and checks each answer. */
async function transact(t: ExecutionContext, log: ConsoleLog, count: number): Promise<void> {
  const first = log.lines.length + 1;
  const ahead = 20;
  for (let number = first; number < first + count; number += 1) {
    log.send(`${number}\n`);
    if (number - first >= ahead) await log.line(number - ahead - 1);
  }
  await log.line(first + count - 2);
  for (let number = first; number < first + count; number += 1) {
    t.is(log.lines[number - 1], ledgerLine(number));
  }
}

test.serial(
  'transactions survive SIGKILL of the primary under load, in order and once',
  async (t) => {
    const fixture = new PairFixture(t);
    const { primary, backup } = await fixture.pair();
    const log = await fixture.console([primary, backup]);
    const load = transact(t, log, 600);
    await log.line(150);
    await untilProtected(primary);
    primary.signal('SIGKILL');
    await load;
    t.is(log.lines.length, 600);
    t.deepEqual(log.epochs, [1n, 2n]);
    t.is((await backup.status()).role, Role.PRIMARY);
    t.is((await backup.status()).promotions, 1);
  },
);

test.serial('a promoted backup takes a new backup by itself, again and again', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  let [current, next] = [primary, backup];
  const log = await fixture.console([primary, backup]);
  for (let round = 0; round < 4; round += 1) {
    const load = transact(t, log, 150);
    await log.line(log.lines.length + 40);
    await untilProtected(current);
    current.signal('SIGKILL');
    await load;
    const joined = await fixture.backup([next]);
    await untilProtected(next);
    await transact(t, log, 20);
    [current, next] = [next, joined];
  }
  t.is(log.lines.length, 4 * 170);
  t.true((log.epochs.at(-1) ?? 0n) >= 5n);
});

test.serial('a backup that joins late starts from a snapshot and takes over exactly', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  const log = await fixture.console([primary]);
  await transact(t, log, 300);
  // More steps than a primary would let a backup replay.
  log.send('spin 120000000\n');
  await until('work', async () => ((await primary.status()).steps[0] ?? 0n) > 110_000_000n);
  const backup = await fixture.backup([primary]);
  const joining = await primary.heard('solo -> joining');
  t.true(String(joining['detail']).includes('snapshot'));
  await primary.heard('protecting -> protected');
  const second = await fixture.console([backup], false);
  await transact(t, log, 100);
  await untilProtected(primary);
  primary.signal('SIGKILL');
  // A client that comes only now gets the history from before the snapshot too.
  await second.line(399);
  t.deepEqual(second.lines.slice(0, 400), log.lines.slice(0, 400));
});

test.serial('no output byte leaves while acknowledgements are missing', async (t) => {
  const fixture = new PairFixture(t);
  // A long suspicion on both sides: the pair stays a pair while the backup is frozen.
  const { primary, backup } = await fixture.pair('--suspect-ms', '20000');
  const log = await fixture.console([primary, backup]);
  await transact(t, log, 50);
  const before = log.bytes;
  backup.signal('SIGSTOP');
  await delay(200);
  for (let number = 51; number <= 80; number += 1) log.send(`${number}\n`);
  await until('held output', async () => (await primary.status()).heldOutputBytes > 0n);
  const frozen = await primary.status();
  await delay(1_000);
  t.is(log.bytes, before);
  const later = await primary.status();
  t.true(later.lagEntries >= frozen.lagEntries);
  t.is(later.lagEntries, later.recordedSeq - later.appliedSeq);
  backup.signal('SIGCONT');
  await log.line(79);
  t.is(log.lines[79], ledgerLine(80));
});

test.serial('a primary that loses its backup asks the arbiter and goes on alone', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const log = await fixture.console([primary]);
  const load = transact(t, log, 300);
  await log.line(100);
  backup.signal('SIGKILL');
  await load;
  t.is(log.lines.length, 300);
  t.is((await primary.status()).epoch, 2n);
  t.is((await primary.status()).protection, Protection.UNPROTECTED);
  const joined = await fixture.backup([primary]);
  await untilProtected(primary);
  await transact(t, log, 50);
  await untilProtected(primary);
  primary.signal('SIGKILL');
  await transact(t, await reattach(fixture, log, joined), 50);
});

/** The same client, told of another node. */
async function reattach(
  fixture: PairFixture,
  log: ConsoleLog,
  node: Awaited<ReturnType<PairFixture['backup']>>,
): Promise<ConsoleLog> {
  log.session.close();
  const other = await fixture.console([node]);
  await other.line(log.lines.length - 1);
  return other;
}

test.serial(
  'of two backups only the protecting one takes over, the other follows it',
  async (t) => {
    const fixture = new PairFixture(t);
    const { primary, backup } = await fixture.pair();
    const second = await fixture.backup([primary, backup]);
    await second.heard('greeting -> waiting');
    t.is((await second.status()).role, Role.SPARE);
    const log = await fixture.console([primary, backup, second]);
    await transact(t, log, 50);
    await untilProtected(primary);
    primary.signal('SIGKILL');
    await transact(t, log, 50);
    await second.heard('following -> protecting');
    await until('protection', async () => {
      return (await backup.status()).protection === Protection.PROTECTED;
    });
    t.is((await second.status()).role, Role.BACKUP);
    t.is((await backup.status()).role, Role.PRIMARY);
  },
);

test.serial('while the arbiter is away nobody is promoted, and then the backup is', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const log = await fixture.console([primary, backup]);
  await transact(t, log, 20);
  renameSync(fixture.arbiter, `${fixture.arbiter}-away`);
  // The pair goes on as it is.
  await transact(t, log, 20);
  await untilProtected(primary);
  primary.signal('SIGKILL');
  await backup.heard('arbiter: unavailable');
  t.is((await backup.status()).role, Role.CANDIDATE);
  t.is((await backup.status()).protection, Protection.HOLDING);
  t.is(log.lines.length, 40);
  renameSync(`${fixture.arbiter}-away`, fixture.arbiter);
  await transact(t, log, 20);
  t.is((await backup.status()).epoch, 2n);
});

test.serial('after an orderly power-off nobody takes over and both end well', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const log = await fixture.console([primary, backup]);
  await transact(t, log, 10);
  log.send('exit 3\n');
  t.is(await primary.exit(), 3);
  t.is(await backup.exit(), 3);
  t.false(backup.journal.some(({ event }) => event.startsWith('arbiter')));
  t.is(log.power, 'exit');
});
