/**
 * `npm run campaign:disk`: a guest writes all of a large disk, again and again, while whoever is
 * primary is killed, a new backup joins each time and so gets a copy of the disk; in the end both
 * replicas of it must hold, byte for byte, what the guest wrote. Exit status 1 if one does not.
 */

import { closeSync, openSync, readSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import { ConsoleSession } from '../../lib/node/console-session.js';
import type { Arguments, Command } from '../../tools/command.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { insist } from '../support/campaign-checks.js';
import { currentLoad } from '../support/campaign-figures.js';
import { Fleet, untilProtected } from '../support/campaign-fleet.js';
import { runCampaign } from '../support/campaign-main.js';
import {
  DISK_GUEST_LINES,
  diskGuest,
  diskGuestBytes,
  diskGuestSector,
  diskGuestWriters,
  overlayOf,
} from '../support/disk-guest.js';
import { lockstep } from '../support/lockstep-process.js';

const PATIENCE_MS = 900_000;
const SECTOR = 512;
const READ_SECTORS = 4096;

const command: Command = {
  usage: ['campaign:disk -- [--megabytes N] [--kills N]'],
  description: 'Has a guest write a large disk through failovers, and compares both replicas.',
  options: {
    megabytes: { type: 'string', value: 'N', help: 'size of the disk, a power of two (1024)' },
    kills: { type: 'string', value: 'N', help: 'primaries killed, one after the other (3)' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const megabytes = args.integer('megabytes', 1, 8192) ?? 1024;
  const kills = args.integer('kills', 0, 1_000) ?? 3;
  const spanSectors = megabytes * 2048;
  if (!Number.isInteger(Math.log2(megabytes))) {
    throw new LockstepError('USAGE', `--megabytes: ${megabytes} is no power of two`);
  }
  // Places lie an odd number of sectors apart: half as many writes of three sectors touch all.
  const writes = spanSectors / 2;
  const machine: string[] = [];
  const fleet = new Fleet(machine);
  try {
    const kernel = join(fleet.folder, 'guest.elf');
    const image = join(fleet.folder, 'base.img');
    writeFileSync(kernel, diskGuest(writes, 'until-input', spanSectors));
    writeFileSync(image, '');
    truncateSync(image, diskGuestBytes(spanSectors));
    machine.push('--bios', 'none', '--kernel', kernel, '--memory', '2M', '--disk', image);
    machine.push('--suspect-ms', '5000');
    const pair = await failOver(fleet, kills);
    say('lets the guest write all of it once more, and ends it');
    await endInOrder(pair);
    const wrong = await Promise.all(
      pair.map((node, index) => compare(fleet, node, { index, writes, spanSectors })),
    );
    const bad = wrong.reduce((sum, sectors) => sum + sectors, 0);
    const size = `${megabytes} MB, ${kills} failovers, ${writes} writes a round`;
    process.stdout.write(`${size}: ${bad} sectors differ on both nodes; load ${currentLoad()}\n`);
    return bad === 0 ? 0 : 1;
  } finally {
    await fleet.close();
  }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The pair that is left after so many deaths, each in the middle of writing. */
async function failOver(fleet: Fleet, kills: number): Promise<[NodeProcess, NodeProcess]> {
  let primary = fleet.primary();
  let backup = await fleet.backup([primary]);
  await untilProtected(primary, PATIENCE_MS);
  for (let number = 1; number <= kills; number++) {
    await lines([primary], DISK_GUEST_LINES / 4);
    const dead = primary;
    dead.signal('SIGKILL');
    await backup.heard('serves');
    primary = backup;
    fleet.forget(dead);
    const startMs = performance.now();
    backup = await fleet.backup([primary]);
    await untilProtected(primary, PATIENCE_MS);
    const copied = primary.journal.find(({ event }) => event === 'machine copied');
    const bytes = (Number(copied?.['bytes'] ?? 0) / 1e6).toFixed(0);
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
    say(
      `${number}/${kills}  killed; a new backup protects after ${seconds} s: ` +
        `${bytes} MB, last stop ${Number(copied?.['stopMs'] ?? 0).toFixed(1)} ms`,
    );
  }
  return [primary, backup];
}

/** Waits until the guest has printed so many lines more, and may then tell it to end. */
async function lines(nodes: readonly NodeProcess[], count: number, last = ''): Promise<void> {
  const addresses = await Promise.all(nodes.map((node) => node.address()));
  let seen = 0;
  let failure: Error | null = null;
  const session = new ConsoleSession({
    addresses,
    events: {
      onOutput: (bytes) => {
        seen += Buffer.from(bytes).toString('latin1').split('\n').length - 1;
      },
      onFailure: (error) => {
        failure = error;
      },
    },
  });
  session.start();
  try {
    const isDone = (): boolean => {
      if (failure !== null) throw failure;
      insist(nodes.every(isAlive), `a node has ended: ${wordsOf(nodes)}`);
      return seen >= count;
    };
    await until(`${count} lines of the guest`, isDone, PATIENCE_MS);
    if (last === '') return;
    session.write(Buffer.from(last));
    const isEnded = (): boolean => !nodes.some(isAlive);
    await until('the end of the guest', isEnded, PATIENCE_MS);
  } finally {
    session.close();
  }
}

function isAlive({ child }: NodeProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

function wordsOf(nodes: readonly NodeProcess[]): string {
  return nodes
    .map(({ child, stderr }) => `${child.signalCode ?? ''} ${stderr.join(' ')}`)
    .join('; ');
}

/** A whole round after the last failover, and the guest's own end with both nodes. */
async function endInOrder(pair: readonly [NodeProcess, NodeProcess]): Promise<void> {
  const ended = pair.map((node) => node.exit());
  await lines([pair[0]], DISK_GUEST_LINES + 1, 'q');
  const statuses = await Promise.all(ended);
  insist(
    statuses.every((status) => status === 0),
    `${statuses.join(', ')}: ${wordsOf(pair)}`,
  );
}

/** Sectors of a node's replica that are not as the guest wrote them. */
async function compare(
  fleet: Fleet,
  node: NodeProcess,
  what: { readonly index: number; readonly writes: number; readonly spanSectors: number },
): Promise<number> {
  const { index, writes, spanSectors } = what;
  const output = join(fleet.folder, `exported-${index}.img`);
  const { status, stderr } = await lockstep([
    ...['disk', 'export', overlayOf(fleet.stateDir(node)), '--output', output],
  ]);
  insist(status === 0, stderr);
  insist(statSync(output).size === diskGuestBytes(spanSectors), 'the size of a disk is kept');
  const { numbers, parts } = diskGuestWriters(writes, spanSectors);
  const fd = openSync(output, 'r');
  const piece = Buffer.alloc(READ_SECTORS * SECTOR);
  let wrong = 0;
  try {
    for (let first = 0; first < numbers.length; first += READ_SECTORS) {
      const bytes = readSync(fd, piece, 0, piece.length, first * SECTOR);
      for (let sector = first; (sector - first) * SECTOR < bytes; sector++) {
        const at = (sector - first) * SECTOR;
        const number = numbers[sector] ?? 0;
        const want =
          number === 0 ? new Uint32Array(128) : diskGuestSector(number, parts[sector] ?? 0);
        if (Buffer.from(want.buffer).compare(piece, at, at + SECTOR) !== 0) wrong++;
      }
    }
  } finally {
    closeSync(fd);
  }
  return wrong;
}

await runCampaign(command);
