/**
 * A cluster of Debian's etcd, as real processes in a folder of their own, on free ports.
 *
 * A test asks `findEtcd` first and says that it is skipped where there is none.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EtcdArbiter } from '../../lib/arbiter/etcd-arbiter.js';
import { until } from '../../tools/demo/node-process.js';
import { bound } from './bound-process.js';
import { insist } from './campaign-checks.js';
import { findProgram } from './qemu.js';

export function findEtcd(): Promise<string | null> {
  return findProgram('etcd');
}

export class EtcdCluster {
  /** HOST:PORT of each member, for clients. */
  readonly endpoints: readonly string[];
  readonly members: readonly ChildProcess[];
  private readonly folder: string;

  private constructor(program: string, places: readonly { client: number; peer: number }[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'lockstep-etcd-'));
    this.endpoints = places.map(({ client }) => `127.0.0.1:${client}`);
    const cluster = places.map(({ peer }, at) => `m${at}=http://127.0.0.1:${peer}`).join(',');
    this.members = places.map(({ client, peer }, at) =>
      bound(
        spawn(
          program,
          [
            ...['--name', `m${at}`, '--data-dir', join(this.folder, `m${at}`)],
            ...['--listen-client-urls', `http://127.0.0.1:${client}`],
            ...['--advertise-client-urls', `http://127.0.0.1:${client}`],
            ...['--listen-peer-urls', `http://127.0.0.1:${peer}`],
            ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
            ...['--initial-cluster', cluster, '--log-level', 'error'],
            // A busy machine holds a member up for longer than the default allows.
            ...['--heartbeat-interval', '200', '--election-timeout', '2000'],
          ],
          { stdio: 'ignore' },
        ),
      ),
    );
  }

  /** Resolves when the cluster answers. */
  static async start(program: string, size: number): Promise<EtcdCluster> {
    const ports = await freePorts(2 * size);
    const places = Array.from({ length: size }, (_, at) => ({
      client: ports[2 * at] ?? 0,
      peer: ports[2 * at + 1] ?? 0,
    }));
    const cluster = new EtcdCluster(program, places);
    const answers = cluster.endpoints.map((endpoint) =>
      until(`etcd at ${endpoint}`, async () => {
        const arbiter = new EtcdArbiter([endpoint], 'started');
        try {
          await arbiter.check();
          return true;
        } catch {
          return false;
        } finally {
          arbiter.close();
        }
      }),
    );
    await Promise.all(answers);
    return cluster;
  }

  /** For --arbiter. */
  get target(): string {
    return `etcd:${this.endpoints.join(',')}`;
  }

  signal(at: number, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.members[at]?.kill(name);
  }

  async close(): Promise<void> {
    for (const member of this.members) {
      const isOver = member.exitCode !== null || member.signalCode !== null;
      const ended = isOver ? null : once(member, 'exit');
      member.kill('SIGCONT');
      member.kill('SIGKILL');
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ports that were free a moment ago, held together so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const place = server.address();
    insist(typeof place === 'object' && place !== null, 'a server has a port');
    return place.port;
  });
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, 'close');
    }),
  );
  return ports;
}
