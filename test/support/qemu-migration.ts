/**
 * QEMU's own live migration of a guest to another QEMU on this host, over a unix socket.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../tools/demo/node-process.js';
import { Qemu } from './qemu.js';

const BOOT_LIMIT_MS = 300_000;
const MIGRATION_LIMIT_MS = 120_000;
/** Bytes a second: more than any copy here reaches, so that nothing but the host limits it. */
const BANDWIDTH = '100G';

const COMPLETED = /status: completed[^]*\bdowntime: \d+ ms/i;
const FAILED = /status: failed/i;

export interface Migration {
  /** From its begin to the end, and with the guest standing still, in milliseconds. */
  readonly totalMs: number;
  readonly stopMs: number;
}

/** Boots a guest, has its shell begin `load` (null for none), and migrates it once. */
export async function migrateOnce(
  program: string,
  plan: {
    readonly words: readonly string[];
    readonly folder: string;
    readonly load: string | null;
    readonly settleMs: number;
  },
): Promise<Migration> {
  const monitor = join(plan.folder, 'qemu.monitor');
  const road = join(plan.folder, 'qemu.migration');
  const source = new Qemu(program, [
    ...plan.words,
    '-monitor',
    `unix:${monitor},server=on,wait=off`,
  ]);
  const target = new Qemu(program, [...plan.words, '-incoming', `unix:${road}`]);
  try {
    await source.waitFor(/lockstep: shell begins[^]*\n# /, BOOT_LIMIT_MS);
    if (plan.load !== null) source.send(`(${plan.load}) &\n`);
    await delay(plan.settleMs);
    return await migrate(monitor, road);
  } finally {
    await source.stop();
    await target.stop();
  }
}

async function migrate(monitor: string, road: string): Promise<Migration> {
  const socket = connect(monitor);
  await once(socket, 'connect');
  const text = collect(socket);
  try {
    socket.write(`migrate_set_parameter max-bandwidth ${BANDWIDTH}\n`);
    socket.write(`migrate -d unix:${road}\n`);
    await until(
      'the end of the migration',
      async () => {
        socket.write('info migrate\n');
        await delay(50);
        if (FAILED.test(text())) throw new Error(`the migration failed:\n${text()}`);
        return COMPLETED.test(text());
      },
      MIGRATION_LIMIT_MS,
    );
    // Before that it told what it expected.
    const ending = text().slice(text().search(COMPLETED));
    const figure = (pattern: RegExp): number => {
      const found = pattern.exec(ending);
      if (found === null) throw new Error(`no ${pattern} in what QEMU says:\n${text()}`);
      return Number(found[1]);
    };
    return {
      totalMs: figure(/total time: (\d+) ms/i),
      stopMs: figure(/\bdowntime: (\d+) ms/i),
    };
  } finally {
    socket.destroy();
  }
}

/** What came so far, as text. */
function collect(socket: Socket): () => string {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  return () => text;
}
