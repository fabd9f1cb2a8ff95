/**
 * The flags that a primary and a backup share, beside those of the machine.
 */

import { readFile } from 'node:fs/promises';
import { DEFAULT_PREFIX } from '../lib/arbiter/etcd-arbiter.js';
import { LockstepError } from '../lib/base/error.js';
import { Journal } from '../lib/node/journal.js';
import type { NodeOptions } from '../lib/node/node.js';
import type { AckMode } from '../lib/node/node-storage.js';
import { DEFAULT_LIMITS, MIN_HEARTBEATS_PER_SUSPICION } from '../lib/protocol/limits.js';
import type { PairLimits } from '../lib/protocol/limits.js';
import type { Arguments, OptionTable } from './command.js';

export const DEFAULT_LISTEN = '127.0.0.1:0';
export const DEFAULT_MACHINE_ID = 'machine';

/** Output waits for the slowest of them, and each takes the primary's time. */
const MAX_BACKUPS = 4;

export const PAIR_OPTIONS: OptionTable = {
  listen: {
    type: 'string',
    value: 'ADDRESS',
    help: `HOST:PORT or unix:PATH to serve on; port 0 chooses one (${DEFAULT_LISTEN})`,
  },
  arbiter: {
    type: 'string',
    value: 'ARBITER',
    help:
      'file:DIR, a directory that every node of the pair reaches and that exists, or ' +
      'etcd:HOST:PORT[,HOST:PORT]...[/PREFIX], the members of a cluster and where its keys are ' +
      `(${DEFAULT_PREFIX})`,
  },
  'machine-id': {
    type: 'string',
    value: 'NAME',
    help: `name of the machine, the same on all nodes (${DEFAULT_MACHINE_ID})`,
  },
  metrics: {
    type: 'string',
    value: 'HOST:PORT',
    help: 'serve /metrics for Prometheus; port 0 chooses one',
  },
  'state-dir': {
    type: 'string',
    value: 'DIR',
    help: 'write the log and address.json there',
  },
  ack: {
    type: 'string',
    value: 'memory|durable',
    help: 'output waits until the log is in the memory of the backup, or on both disks (memory)',
  },
  backups: {
    type: 'string',
    value: 'N',
    help: 'backups that protect the machine at once; others stand by (1)',
  },
  'heartbeat-ms': {
    type: 'string',
    value: 'N',
    help: `silence after which a heartbeat is sent (${DEFAULT_LIMITS.heartbeatMs})`,
  },
  'suspect-ms': {
    type: 'string',
    value: 'N',
    help: `silence after which the primary counts as lost (${DEFAULT_LIMITS.suspectMs})`,
  },
  json: { type: 'boolean', help: 'journal on stderr as one JSON object a line' },
};

/** Errors: USAGE. */
export async function readNodeOptions(args: Arguments): Promise<NodeOptions> {
  return {
    machineId: args.text('machine-id') ?? DEFAULT_MACHINE_ID,
    listen: args.text('listen') ?? DEFAULT_LISTEN,
    arbiter: args.required('arbiter'),
    metrics: args.text('metrics') ?? null,
    stateDir: args.text('state-dir') ?? null,
    ack: readAckMode(args),
    limits: readLimits(args),
    backups: args.integer('backups', 1, MAX_BACKUPS) ?? 1,
    version: await packageVersion(),
  };
}

export function openJournal(args: Arguments): Journal {
  return new Journal(process.stderr, args.flag('json'));
}

function readAckMode(args: Arguments): AckMode {
  const text = args.text('ack') ?? 'memory';
  if (text === 'memory' || text === 'durable') return text;
  throw new LockstepError('USAGE', `--ack: "${text}" is neither memory nor durable`);
}

function readLimits(args: Arguments): PairLimits {
  const heartbeatMs = args.integer('heartbeat-ms', 2, 10_000) ?? DEFAULT_LIMITS.heartbeatMs;
  const suspectMs = args.integer('suspect-ms', 10, 600_000) ?? DEFAULT_LIMITS.suspectMs;
  if (suspectMs < MIN_HEARTBEATS_PER_SUSPICION * heartbeatMs) {
    throw new LockstepError(
      'USAGE',
      `--suspect-ms ${suspectMs} is less than ${MIN_HEARTBEATS_PER_SUSPICION} heartbeats of ` +
        `${heartbeatMs} ms: one late packet would count as a death`,
    );
  }
  // The other times keep their distance from the suspicion, as in the defaults.
  const scale = Math.max(1, suspectMs / DEFAULT_LIMITS.suspectMs);
  return {
    ...DEFAULT_LIMITS,
    heartbeatMs,
    suspectMs,
    backupSilentMs: DEFAULT_LIMITS.backupSilentMs * scale,
    ackStallMs: DEFAULT_LIMITS.ackStallMs * scale,
    joinMs: DEFAULT_LIMITS.joinMs * scale,
  };
}

async function packageVersion(): Promise<string> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown';
}
