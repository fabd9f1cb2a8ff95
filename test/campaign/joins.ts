/**
 * `npm run campaign:joins`: how long a machine of 256 MiB takes to be copied to a backup that joins
 * while its guest writes without pause, and how long the guest stands for it; beside the copy of
 * the same guest at rest, and QEMU's live migration of the same images under the same load. Exit
 * status 1 where a promise of docs/SPECIFICATION.md falls short.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../lib/base/error.js';
import type { DebianImage } from '../../lib/host/image/debian-image.js';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { median } from '../bench/statistics.js';
import { currentLoad } from '../support/campaign-figures.js';
import { Fleet, statusOf, untilProtected } from '../support/campaign-fleet.js';
import { RESUMABLE_SECONDS } from '../support/campaign-guests.js';
import { runCampaign } from '../support/campaign-main.js';
import { cachedDebianImage, imageFlags } from '../support/debian.js';
import { GuestShell } from '../support/guest-shell.js';
import { findQemu } from '../support/qemu.js';
import { migrateOnce, type Migration } from '../support/qemu-migration.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.js';

const STOP_MS = 50;
/** Times the copy of a guest at rest. */
const COPY_TIMES = 2;
const JOIN_MS = 120_000;
/** Until a backup can't be sent the log instead of the machine. */
const TOO_OLD_MS = (RESUMABLE_SECONDS + 2) * 1000;
const SETTLE_MS = 2_000;
/** Pipelines that come and go: processes, pages, and sorting in between. */
const LOAD = 'while :; do seq 3000 | sort -r | tail -1 >/dev/null; done';

const command: Command = {
  usage: ['campaign:joins -- [--joins N] [--json]'],
  description:
    'Measures how a backup joins a busy machine of 256 MiB, beside one at rest and beside the ' +
    'live migration of QEMU.',
  options: {
    joins: { type: 'string', value: 'N', help: 'of each kind (5)' },
    json: { type: 'boolean', help: 'the figures as one JSON object' },
  },
  run: measure,
};

interface Join {
  readonly copyMs: number;
  readonly stopMs: number;
  readonly megabytes: number;
}

async function measure(args: Arguments): Promise<number> {
  const joins = args.integer('joins', 1, 1_000) ?? 5;
  const image = await cachedDebianImage();
  const rest = await joinsOf(image, joins, null);
  const busy = await joinsOf(image, joins, LOAD);
  const qemu = await migrationsOf(image, joins);
  const restMs = median(rest.map(({ copyMs }) => copyMs));
  const busyMs = median(busy.map(({ copyMs }) => copyMs));
  const stopMs = Math.max(...busy.map((one) => one.stopMs));
  const isKept = stopMs <= STOP_MS && busyMs <= COPY_TIMES * restMs;
  if (args.flag('json')) {
    process.stdout.write(`${toJsonLine({ rest, busy, qemu, isKept, load: currentLoad() })}\n`);
    return isKept ? 0 : 1;
  }
  const answer = (isTrue: boolean): string => (isTrue ? 'kept' : 'FALLS SHORT');
  const lines = [
    `at rest    ${restMs.toFixed(0)} ms, ${median(rest.map(sizeOf)).toFixed(0)} MB`,
    `busy       ${busyMs.toFixed(0)} ms, ${median(busy.map(sizeOf)).toFixed(0)} MB; ` +
      `${(busyMs / restMs).toFixed(2)} times (at most ${COPY_TIMES}: ` +
      `${answer(busyMs <= COPY_TIMES * restMs)})`,
    `last stop  ${stopMs.toFixed(1)} ms at most (at most ${STOP_MS}: ${answer(stopMs <= STOP_MS)})`,
    qemu.length === 0
      ? 'QEMU       not installed'
      : `QEMU       ${median(qemu.map(({ totalMs }) => totalMs)).toFixed(0)} ms busy, stop ` +
        `${median(qemu.map((one) => one.stopMs)).toFixed(0)} ms`,
    `load ${currentLoad()}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return isKept ? 0 : 1;
}

function sizeOf({ megabytes }: Join): number {
  return megabytes;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function joinsOf(image: DebianImage, count: number, load: string | null): Promise<Join[]> {
  const fleet = new Fleet([...imageFlags(image), '--append', 'console=ttyS0', '--memory', '256M']);
  try {
    const primary = fleet.primary('--suspect-ms', '10000');
    await GuestShell.use([await primary.address()], async (shell) => {
      if (load !== null) await shell.begin(load);
    });
    const joins: Join[] = [];
    for (let number = 1; number <= count; number++) {
      await delay(number === 1 ? TOO_OLD_MS : SETTLE_MS);
      const one = await joinOnce(fleet, primary, number);
      joins.push(one);
      say(
        `${load === null ? 'at rest' : 'busy'} ${number}/${count}  copied ` +
          `${one.megabytes.toFixed(0)} MB in ${one.copyMs.toFixed(0)} ms, last stop ` +
          `${one.stopMs.toFixed(1)} ms`,
      );
    }
    return joins;
  } finally {
    await fleet.close();
  }
}

async function joinOnce(fleet: Fleet, primary: NodeProcess, number: number): Promise<Join> {
  const backup = await fleet.backup([primary], '--suspect-ms', '10000');
  await untilProtected(primary, JOIN_MS);
  const copies = primary.journal.filter(({ event }) => event === 'machine copied');
  const copied = copies[number - 1];
  if (copied === undefined) throw new LockstepError('IO', 'the log was sent, not the machine');
  backup.signal('SIGKILL');
  await backup.exit();
  await until('a primary alone', async () => {
    return (await statusOf(primary)).protection === Protection.UNPROTECTED;
  });
  fleet.forget(backup);
  return {
    copyMs: Number(copied['copyMs']),
    stopMs: Number(copied['stopMs']),
    megabytes: Number(copied['bytes']) / 1e6,
  };
}

async function migrationsOf(image: DebianImage, count: number): Promise<Migration[]> {
  const program = await findQemu();
  if (program === null) return [];
  const { bios, kernel, initrd } = image;
  const images = ['-bios', bios, '-kernel', kernel, '-initrd', initrd];
  const words = ['-m', '256M', ...images, '-append', 'console=ttyS0'];
  const migrations: Migration[] = [];
  for (let number = 1; number <= count; number++) {
    const folder = makeTemporaryFolder('migration');
    try {
      const plan = { words, folder, load: LOAD, settleMs: SETTLE_MS };
      const one = await migrateOnce(program, plan);
      migrations.push(one);
      say(`QEMU ${number}/${count}  ${one.totalMs} ms, stop ${one.stopMs} ms`);
    } finally {
      removeTemporaryFolder(folder);
    }
  }
  return migrations;
}

await runCampaign(command);
