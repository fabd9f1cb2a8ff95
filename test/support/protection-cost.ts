/**
 * What protection costs: the same work on one running machine, with and without a backup, in turn.
 *
 *   redis-benchmark --- switch --- primary (Debian, redis-server, a shell on its console)
 *                                    |
 *                                  backup, in every second phase
 *
 * Everything shares the cores of one host, so what counts is the processor time of the primary's
 * process for equal work. The machine is the same in all phases: code that is compiled, pages that
 * are cached and the age of its data don't tell the phases apart.
 */

import { execFile, spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { present } from '../../lib/base/assert.js';
import { LockstepError } from '../../lib/base/error.js';
import type { DebianImage } from '../../lib/host/image/debian-image.js';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { bound } from './bound-process.js';
import { insist } from './campaign-checks.js';
import { Fleet, statusOf, untilProtected } from './campaign-fleet.js';
import { imageFlags } from './debian.js';
import { GuestShell } from './guest-shell.js';
import { startSwitch, type SwitchProcess } from './network-pair.js';
import { cpuSeconds, readMetrics, series } from './node-figures.js';
import { findProgram } from './qemu.js';
import { RedisClient } from './redis-client.js';
import { REDIS_IN_BACKGROUND, REDIS_PORT } from './redis-image.js';

const run = promisify(execFile);
/** A machine of 256 MiB is copied, on a host that has other work. */
const JOIN_MS = 300_000;
/** Between looks at the lag. */
const LOOK_MS = 25;
/** Connections of redis-benchmark at once. */
const CLIENTS = 16;
/** Rounds of the shell's loop: some ten seconds. */
const ROUNDS = 150_000;
const LOOP = `i=0; s=1; while [ $i -lt ${ROUNDS} ]; do i=$((i + 1)); s=$((s * 31 % 65521)); done`;

/** What one kind of work took in one phase. */
export interface Phase {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
}

export interface BenchmarkPhase extends Phase {
  /** Of an answer, in milliseconds, as redis-benchmark says. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly logBytes: number;
  readonly receivedBytes: number;
}

export interface Round {
  readonly compute: Phase;
  readonly set: BenchmarkPhase;
  readonly get: BenchmarkPhase;
  /** Looks at the lag while the machine worked, in seconds; empty without a backup. */
  readonly lagSeconds: readonly number[];
}

export interface ProtectionCostOptions {
  readonly image: DebianImage;
  /** Requests of each kind in a phase. */
  readonly requests: number;
}

export class ProtectionCost {
  private readonly options: ProtectionCostOptions;
  private fleet: Fleet | null = null;
  private network: SwitchProcess | null = null;
  private primary: NodeProcess | null = null;
  private shell: GuestShell | null = null;

  constructor(options: ProtectionCostOptions) {
    this.options = options;
  }

  /** Errors: USAGE without redis-benchmark; what keeps a primary from being started. */
  async start(): Promise<void> {
    if ((await findProgram('redis-benchmark')) === null) {
      throw new LockstepError('USAGE', 'redis-benchmark is not installed (Debian: redis-tools)');
    }
    const flags = [...imageFlags(this.options.image), '--append', 'console=ttyS0 quiet'];
    flags.push('--suspect-ms', '10000', '--net');
    const fleet = new Fleet(flags);
    this.fleet = fleet;
    this.network = await startSwitch(fleet.folder, [REDIS_PORT]);
    flags.push(this.network.target);
    this.primary = fleet.primary('--metrics', '127.0.0.1:0');
    this.shell = await GuestShell.open([await this.primary.address()]);
    await this.shell.run(REDIS_IN_BACKGROUND);
    const client = await RedisClient.open(this.port);
    client.close();
    // What is compiled once is compiled now.
    await this.round();
  }

  /** A backup for the time of `work`. */
  async protectedBy<T>(work: () => Promise<T>): Promise<T> {
    const { fleet, primary } = this;
    insist(fleet !== null && primary !== null, 'a primary');
    const backup = await fleet.backup([primary]);
    await untilProtected(primary, JOIN_MS);
    const result = await work();
    backup.signal('SIGKILL');
    await backup.exit();
    await until('a primary alone', async () => {
      return (await statusOf(primary)).protection === Protection.UNPROTECTED;
    });
    fleet.forget(backup);
    return result;
  }

  /** `work` while another process keeps a processor busy. */
  async besideSpinner<T>(work: () => Promise<T>): Promise<T> {
    const spinner = bound(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    try {
      return await work();
    } finally {
      spinner.kill('SIGKILL');
    }
  }

  async round(): Promise<Round> {
    const lagSeconds: number[] = [];
    const looks = new AbortController();
    const looking = this.lookAtLag(lagSeconds, looks.signal);
    try {
      const compute = await this.compute();
      const set = await this.benchmark('set');
      const get = await this.benchmark('get');
      return { compute, set, get, lagSeconds };
    } finally {
      looks.abort();
      await looking;
    }
  }

  async close(): Promise<void> {
    this.shell?.close();
    await this.network?.process.kill();
    await this.fleet?.close();
  }

  private get port(): number {
    return present(this.network?.ports[0], 'a forwarded port');
  }

  private get node(): NodeProcess {
    return present(this.primary, 'a primary');
  }

  private async timed(work: () => Promise<void>): Promise<Phase> {
    const cpu = cpuSeconds(this.node);
    const startMs = performance.now();
    await work();
    const wallSeconds = (performance.now() - startMs) / 1000;
    return { cpuSeconds: cpuSeconds(this.node) - cpu, wallSeconds };
  }

  private compute(): Promise<Phase> {
    const shell = present(this.shell, 'a shell');
    return this.timed(() => shell.run(LOOP));
  }

  private async benchmark(kind: 'set' | 'get'): Promise<BenchmarkPhase> {
    const before = await readMetrics(this.node);
    let csv = '';
    const phase = await this.timed(async () => {
      const words = ['-p', String(this.port), '-t', kind, '-c', String(CLIENTS), '--csv'];
      const count = ['-n', String(this.options.requests), '-d', '64', '-r', '1000'];
      csv = (await run('redis-benchmark', [...words, ...count])).stdout;
    });
    const after = await readMetrics(this.node);
    const grown = (key: string): number => series(after, key) - series(before, key);
    // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99..."
    const cells = (csv.trim().split('\n').at(-1) ?? '').split(',').map((cell) => cell.slice(1, -1));
    const [p50Ms, p99Ms] = [Number(cells[4]), Number(cells[6])];
    insist(p50Ms > 0 && p99Ms > 0, `redis-benchmark tells its latencies: ${csv}`);
    return {
      ...phase,
      p50Ms,
      p99Ms,
      logBytes: grown('lockstep_log_bytes_total{direction="recorded"}'),
      receivedBytes: grown('lockstep_network_bytes_received_total'),
    };
  }

  private async lookAtLag(into: number[], until: AbortSignal): Promise<void> {
    while (!until.aborted) {
      // A primary that does not answer fails the work, which tells more.
      const status = await statusOf(this.node).catch(() => null);
      if (status !== null && status.backups.length > 0) into.push(status.lagSeconds);
      await delay(LOOK_MS);
    }
  }
}
