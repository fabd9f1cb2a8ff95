/**
 * Goal: the log on the disk of a killed primary leads to the very state in which its successor
 * went on, and every log of a pair can be replayed by itself.
 * Method: the real machine with the ledger; `lockstep replay` on the dead primary's log, continued
 * with the successor's, whose first entries are a page-level check of the state at the promotion.
 */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { isProtected, ledgerClient, LEDGER_MACHINE } from '../support/kill-run.js';
import { PairFixture, until, type NodeProcess } from '../support/pair.js';

function lockstep(...args: string[]): Promise<{ status: number | null; text: string }> {
  const child = spawn(process.execPath, [LEDGER_MACHINE.script, ...args], { stdio: 'pipe' });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (text += bytes.toString()));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, text })));
}

async function promotedAt(node: NodeProcess): Promise<bigint> {
  const { detail } = await node.heard('promoting -> promoted');
  return BigInt(/drained to (\d+)/.exec(String(detail))?.[1] ?? '0');
}

test.serial("a dead primary's log leads to its successor's state at the promotion", async (t) => {
  const fixture = new PairFixture(t, LEDGER_MACHINE.script, LEDGER_MACHINE.flags);
  const { primary, backup } = await fixture.pair();
  const addresses = [await primary.address(), await backup.address()];
  let epoch = 0n;
  const client = ledgerClient(addresses, (answer) => (epoch = answer.epoch));
  t.teardown(() => client.close());
  client.run();
  await until('load', () => client.answered > 200);
  await isProtected(primary);
  const last = epoch;
  primary.signal('SIGKILL');
  await until('the takeover', () => epoch > last);
  const third = await fixture.backup([backup]);
  await isProtected(backup);
  const before = client.answered;
  await until('more load', () => client.answered > before + 100);
  client.close();
  const seq = await promotedAt(backup);
  await Promise.all([backup.kill(), third.kill()]);

  const [dead = '', heir = '', joined = ''] = [1, 2, 3].map((node) => {
    return join(fixture.folder, `node-${node}`, 'log-1');
  });
  const first = LogReader.open(heir);
  const checks = [...first.batches()]
    .flatMap(({ batch }) => batch.entries)
    .filter((entry) => entry.seq > seq && entry.seq <= seq + 3n)
    .filter(({ event }) => event.kind === 'state-hash' && event.pages !== null);
  t.true(checks.length > 0, 'the promotion is checked, pages included');

  const both = await lockstep('replay', '--log', dead, '--then', heir, '--json');
  t.is(both.status, 0, both.text);
  // The last node's log is complete, whether it began at power-on or with a snapshot.
  const alone = await lockstep('replay', '--log', joined, '--json');
  t.is(alone.status, 0, alone.text);
});
