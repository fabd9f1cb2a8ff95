/**
 * Power loss of both hosts of a pair: at one moment both nodes die, and of their logs only what
 * had been flushed by then is left (test/support/flush-witness.ts). What is left on either side
 * must hold everything that a client had seen.
 */

import { cpSync, existsSync, readdirSync, readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { CampaignClient } from './campaign-client.js';
import { ledgerDialect } from './campaign-dialects.js';
import { insist } from './campaign-checks.js';
import { Fleet, LEDGER_FLAGS, untilProtected } from './campaign-fleet.js';
import { lockstep } from './lockstep-process.js';

const WITNESS = new URL('flush-witness.js', import.meta.url).href;
/** Transactions on their way at once. */
const AHEAD = 4;
/** A host with other work may stall a node for that long. */
const SUSPECT_MS = '5000';
/** A node that the arbiter does not let go on. */
const REFUSED = EXIT_STATUS.FENCED;

export interface PowerLoss {
  /** Transactions that the client had seen answered. */
  readonly seen: number;
  /** Transactions that the files of each node give back. */
  readonly kept: readonly number[];
  /** Bytes of log that were written and not flushed, of each node. */
  readonly lostBytes: readonly number[];
  /** What a node says that is started again as it was: its exit status. */
  readonly restartStatus: number | null;
}

/** What was not as promised; nothing, if all was. */
export function complaintsOf({ seen, kept, restartStatus }: PowerLoss): readonly string[] {
  const older = kept.flatMap((count, index) =>
    count >= seen ? [] : [`node ${index + 1} kept ${count} transactions of the ${seen} seen`],
  );
  const again = restartStatus === REFUSED ? [] : [`started again it ended with ${restartStatus}`];
  return [...older, ...again];
}

/** One life of a pair with these acknowledgements, which ends `afterMs` after it is protected. */
export async function losePower(ack: 'durable' | 'memory', afterMs: number): Promise<PowerLoss> {
  const flags = [...LEDGER_FLAGS, '--ack', ack, '--suspect-ms', SUSPECT_MS];
  const fleet = new Fleet(flags);
  const witness = join(fleet.folder, 'witness');
  let client: CampaignClient | null = null;
  try {
    const [primary, backup] = await witnessedPair(fleet, witness);
    client = new CampaignClient([await primary.address()], ledgerDialect(), AHEAD);
    client.run();
    await until('a first answer', () => (client?.answered ?? 0) > 0);
    await delay(afterMs);
    // The moment: nothing happens in this process between these lines.
    const seen = client.answered;
    const flushed = [primary, backup].map((node) => flushedBytes(witness, node));
    primary.signal('SIGKILL');
    backup.signal('SIGKILL');
    client.close();
    insist(client.fault === null, `the client says: ${client.fault}`);
    await Promise.all([primary.exit(), backup.exit()]);
    const left = [primary, backup].map((node, index) => {
      const copy = join(fleet.folder, `left-${index + 1}`);
      return { copy, lostBytes: leaveFlushed(fleet.log(node), copy, flushed[index] ?? new Map()) };
    });
    const kept: number[] = [];
    for (const { copy } of left) kept.push(await transactionsIn(copy));
    const restartStatus = await fleet.primaryAgain(primary).exit();
    return { seen, kept, lostBytes: left.map(({ lostBytes }) => lostBytes), restartStatus };
  } finally {
    client?.close();
    await fleet.close();
  }
}

async function witnessedPair(
  fleet: Fleet,
  witness: string,
): Promise<readonly [NodeProcess, NodeProcess]> {
  const before = process.env['NODE_OPTIONS'];
  process.env['NODE_OPTIONS'] = `${before ?? ''} --import=${WITNESS}`;
  process.env['FLUSH_WITNESS'] = witness;
  try {
    const primary = fleet.primary();
    const backup = await fleet.backup([primary]);
    await untilProtected(primary);
    return [primary, backup];
  } finally {
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
    delete process.env['FLUSH_WITNESS'];
  }
}

/** Bytes of each file that are on stable storage, by path. */
function flushedBytes(witness: string, node: NodeProcess): ReadonlyMap<string, number> {
  const path = `${witness}.${node.child.pid ?? 0}`;
  const sizes = new Map<string, number>();
  if (!existsSync(path)) return sizes;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [, size, file] = /^(\d+) (.+)$/.exec(line) ?? [];
    if (file !== undefined) sizes.set(file, Math.max(sizes.get(file) ?? 0, Number(size)));
  }
  return sizes;
}

/** Copies a log as far as it was flushed. Gives the bytes that were not. */
function leaveFlushed(log: string, copy: string, flushed: ReadonlyMap<string, number>): number {
  cpSync(log, copy, { recursive: true });
  let lost = 0;
  for (const name of readdirSync(log)) {
    // What begins a log is flushed as it is written, under another name.
    if (!name.endsWith('.seg')) continue;
    const path = join(copy, name);
    const size = flushed.get(join(log, name)) ?? 0;
    lost += statSync(path).size - size;
    truncateSync(path, size);
  }
  return lost;
}

/** The transactions that a replayed log answers, in order; each must be right. */
async function transactionsIn(log: string): Promise<number> {
  const { status, stdout } = await lockstep(['replay', '--log', log, '--output']);
  // A log of which nothing was flushed is none.
  if (status !== 0) return 0;
  const mirror = ledgerDialect();
  let count = 0;
  for (const line of stdout.split(/\r?\n/).slice(0, -1)) {
    if (!mirror.isAnswer(line)) continue;
    insist(line === mirror.nextAnswer(), `the log answers "${line}" as transaction ${count + 1}`);
    count += 1;
  }
  return count;
}
