/**
 * One process of the pair, whatever its role: where it serves, who it is, what it tells.
 *
 * It opens every port before a machine exists, so that a wrong flag or a taken port fails at
 * once, and keeps them through a promotion. It makes no decision.
 */

import { randomBytes } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { checkMachineId } from '../arbiter/generation-record.js';
import type { HostArbiter } from '../arbiter/host-arbiter.js';
import { parseArbiter } from '../arbiter/parse-arbiter.js';
import { LockstepError } from '../base/error.js';
import { exportMetrics, type MetricsExporter } from '../metrics/exporter.js';
import { NodeMetrics } from '../metrics/registry.js';
import type { Holder } from '../protocol/arbiter.js';
import type { PairLimits } from '../protocol/limits.js';
import { parseAddress, requireLocal } from '../rpc/address.js';
import type { GetStatusResponse } from '../rpc/generated/lockstep/v1/machine.js';
import { serveRpc, type RpcServer } from '../rpc/server.js';
import type { Journal } from './journal.js';
import type { AckMode, NodeStorage } from './node-storage.js';
import type { RoleServices } from './role.js';
import { addServices } from './services.js';

export interface NodeOptions {
  readonly machineId: string;
  /** HOST:PORT or unix:PATH. */
  readonly listen: string;
  /** file:DIR or etcd:ENDPOINTS. */
  readonly arbiter: string;
  /** HOST:PORT, or null for no metrics. */
  readonly metrics: string | null;
  /** Where the log and address.json are written, or null for nowhere. */
  readonly stateDir: string | null;
  /** What an acknowledgement means here, and what output waits for. */
  readonly ack: AckMode;
  readonly limits: PairLimits;
  /** Backups that protect a machine at once; others stand by. */
  readonly backups: number;
  readonly version: string;
}

export class Node {
  readonly machineId: string;
  readonly holder: Holder;
  readonly arbiter: HostArbiter;
  readonly metrics: NodeMetrics;
  readonly journal: Journal;
  readonly limits: PairLimits;
  readonly backups: number;
  readonly stateDir: string | null;
  /** Where logs and disks are kept, null for nowhere. */
  readonly storage: NodeStorage | null;
  /** Takeovers that this process won. */
  promotions = 0;
  private readonly server: RpcServer;
  private readonly exporter: MetricsExporter | null;
  private readonly current: { role: RoleServices | null };

  private constructor(parts: {
    options: NodeOptions;
    journal: Journal;
    arbiter: HostArbiter;
    holder: Holder;
    metrics: NodeMetrics;
    server: RpcServer;
    exporter: MetricsExporter | null;
    current: { role: RoleServices | null };
  }) {
    this.machineId = parts.options.machineId;
    this.limits = parts.options.limits;
    this.backups = parts.options.backups;
    const { stateDir, ack } = parts.options;
    this.stateDir = stateDir;
    this.storage = stateDir === null ? null : { stateDir, ack };
    this.journal = parts.journal;
    this.arbiter = parts.arbiter;
    this.holder = parts.holder;
    this.metrics = parts.metrics;
    this.server = parts.server;
    this.exporter = parts.exporter;
    this.current = parts.current;
  }

  /** Errors: USAGE, INSECURE, IO, ARBITER_UNAVAILABLE; nothing stays open then. */
  static async open(options: NodeOptions, journal: Journal): Promise<Node> {
    checkMachineId(options.machineId);
    if (options.ack === 'durable' && options.stateDir === null) {
      throw new LockstepError('USAGE', '--ack durable: give --state-dir DIR, where it is kept');
    }
    const arbiter = parseArbiter(options.arbiter);
    try {
      await arbiter.check();
    } catch (error) {
      arbiter.close();
      throw error;
    }
    if (options.stateDir !== null) makeStateDir(options.stateDir);
    const incarnation = randomBytes(8).toString('hex');
    const metrics = new NodeMetrics(options.machineId, options.version);
    const exporter = options.metrics === null ? null : await openExporter(metrics, options.metrics);
    const current: { role: RoleServices | null; node: Node | null } = { role: null, node: null };
    try {
      const server = await serveRpc(options.listen, (grpc) =>
        addServices(grpc, {
          role: () => current.role,
          status: (role) => describe(role, current.node),
        }),
      );
      const holder = { address: server.address, incarnation };
      const parts = { options, journal, arbiter, holder, metrics, server, exporter, current };
      const node = new Node(parts);
      current.node = node;
      return node;
    } catch (error) {
      await exporter?.close();
      metrics.close();
      arbiter.close();
      throw error;
    }
  }

  get address(): string {
    return this.holder.address;
  }

  /** Serves callers with `role` from now on. */
  setRole(role: RoleServices): void {
    this.current.role = role;
  }

  /** What the health service says of this node. */
  setPrimary(active: boolean): void {
    this.server.setPrimary(active);
  }

  /** Says where this node is, in the journal and in the state directory. */
  announceReady(fields: Readonly<Record<string, string>>): void {
    const all = {
      listen: this.address,
      ...(this.exporter === null ? {} : { metrics: this.exporter.address }),
      ...fields,
    };
    if (this.stateDir !== null) {
      const about = { machineId: this.machineId, pid: process.pid, ...all };
      const path = join(this.stateDir, 'address.json');
      writeFileSync(`${path}.new`, `${JSON.stringify(about, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    }
    this.journal.note({ event: 'ready', fields: all });
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.exporter?.close();
    this.metrics.close();
    this.arbiter.close();
  }
}

function describe(role: RoleServices, node: Node | null): GetStatusResponse {
  return {
    ...role.status(),
    machineId: node?.machineId ?? '',
    node: node?.holder.incarnation ?? '',
    address: node?.address ?? '',
    uptimeSeconds: performance.now() / 1000,
    promotions: node?.promotions ?? 0,
  };
}

async function openExporter(metrics: NodeMetrics, listen: string): Promise<MetricsExporter> {
  const address = parseAddress(listen);
  requireLocal(address, '--metrics');
  if (address.kind === 'unix') {
    throw new LockstepError('USAGE', 'metrics are served on HOST:PORT, not on a unix socket');
  }
  return exportMetrics(metrics, address);
}

function makeStateDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `the state directory ${path} can't be made: ${reason}`);
  }
}
