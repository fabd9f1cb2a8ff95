/**
 * `lockstep replay`: does again what a log says, as fast as it goes and without a terminal, and
 * compares every check in the log on the way.
 *
 * The images are found where they were recorded from, or where the flags say; either way their
 * hashes must be those in the log.
 */

import { LockstepError } from '../../lib/base/error.js';
import { HartHost } from '../../lib/host/hart-host.js';
import type { InspectionReport } from '../../lib/host/hart-messages.js';
import type { ImageFile, LogMeta } from '../../lib/host/log-store/meta.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { readStartSnapshot, START_SNAPSHOT_FILE } from '../../lib/host/log-store/start-snapshot.js';
import type { MachineImages } from '../../lib/machine/config.js';
import type { Arguments, Command } from '../command.js';
import { chooseDisks, DISK_OVERLAY_OPTIONS } from '../disk-options.js';
import { ENGINE_OPTIONS, examineDisk, loadImage, readEngine } from '../machine-flags.js';
import { toJsonLine } from '../output.js';
import { ContinuedLog } from '../continued-log.js';
import { ReplayFeed } from '../replay-feed.js';
import { stateHashLine, writeWhole } from '../run-options.js';

export const replay: Command = {
  usage: ['replay --log DIR [--then DIR] [--to-seq N | --to-step N] [--state-hash] [--json]'],
  description:
    'Replays a log and compares everything that it says: interrupts, output, hashes of the state. ' +
    'The first difference ends it with exit status 9 and a report that names the log entry, the ' +
    'step, and the register, device word or page that differs, with both values.',
  options: {
    log: { type: 'string', value: 'DIR', help: 'a directory that record or a node has written' },
    then: {
      type: 'string',
      value: 'DIR',
      help: 'go on with this log where it departs from the first, as that of a node that took over',
    },
    'to-seq': { type: 'string', value: 'N', help: 'stop after this log entry' },
    'to-step': { type: 'string', value: 'N', help: 'stop when this many steps are counted' },
    bios: { type: 'string', value: 'FILE', help: 'firmware, where it is not at its recorded path' },
    kernel: { type: 'string', value: 'FILE', help: 'the same for the kernel' },
    initrd: { type: 'string', value: 'FILE', help: 'the same for the initrd' },
    disk: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      help: 'the same for the disks, in their order',
    },
    ...DISK_OVERLAY_OPTIONS,
    ...ENGINE_OPTIONS,
    snapshot: {
      type: 'string',
      value: 'FILE',
      help: 'write the machine there at the end, for `lockstep primary --restore`',
    },
    output: { type: 'boolean', help: "write the guest's output to standard output" },
    'state-hash': { type: 'boolean', help: 'print the step and a hash over all state at the end' },
    json: { type: 'boolean', help: 'print the result as a JSON object' },
  },
  run: replayLog,
};

async function replayLog(args: Arguments): Promise<number> {
  const directory = args.required('log');
  const { reader, meta } = openLog(directory);
  const then = args.text('then');
  const continued = then === undefined ? null : new ContinuedLog(reader, openLog(then).reader);
  const snapshot = readStart(directory, meta);
  const { images, diskBases, imageFiles } = await findImages(args, meta);
  const { config } = meta;
  const engine = readEngine(args);
  const flags = {
    config,
    images,
    diskBases,
    imageFiles,
    engine,
    network: null,
    machineFactory: null,
  };
  const { disks } = chooseDisks(args, flags, false);
  const feed = new ReplayFeed(continued ?? reader, args.count('to-seq') ?? null);
  const untilStep = args.count('to-step') ?? null;
  const host = await HartHost.start({
    config,
    images,
    engine,
    disks,
    start: snapshot === null ? { kind: 'boot' } : { kind: 'snapshot', snapshot },
    // Whether epochs rise along the log has been read; a snapshot may be from another life.
    role: { kind: 'replay', firstSeq: meta.start.firstSeq, epoch: 0n },
    listener: feed.listener,
    ...(untilStep === null ? {} : { untilStep }),
  });
  try {
    if (host.digest !== meta.machineDigest) {
      throw new LockstepError(
        'BAD_LOG',
        `this program builds machine ${host.digest.slice(0, 16)}, the log is of ` +
          `${meta.machineDigest.slice(0, 16)}: it was written by another version`,
      );
    }
    await feed.run(host);
    const state = await host.inspect();
    const stateHash = await host.stateHash();
    if (args.flag('output')) await writeOutput(host);
    const snapshot = args.text('snapshot');
    if (snapshot !== undefined) await writeWhole(snapshot, await copyAtEnd(host, feed.lastEpoch));
    return report(args, feed, { state, stateHash, departsAt: continued?.departsAt ?? null });
  } finally {
    feed.close();
    await host.stop();
  }
}

function openLog(directory: string): { readonly reader: LogReader; readonly meta: LogMeta } {
  const reader = LogReader.open(directory);
  const { meta } = reader;
  if (meta !== null) return { reader, meta };
  throw new LockstepError('BAD_LOG', 'a single segment does not say which machine it is of');
}

/** The machine that the log begins with; null for one at power-on. */
function readStart(directory: string, meta: LogMeta): Uint8Array | null {
  const snapshot = readStartSnapshot(directory);
  if (snapshot !== null || meta.start.firstSeq === 1n) return snapshot;
  throw new LockstepError(
    'BAD_LOG',
    `the log begins at entry ${meta.start.firstSeq}, not at power-on, and the ` +
      `${START_SNAPSHOT_FILE} that it goes on from is not in ${directory}`,
  );
}

interface FoundImages {
  readonly images: MachineImages;
  readonly diskBases: readonly string[];
  readonly imageFiles: readonly ImageFile[];
}

async function findImages(args: Arguments, meta: LogMeta): Promise<FoundImages> {
  const images: { -readonly [role in keyof MachineImages]: MachineImages[role] } = {
    bios: null,
    kernel: null,
    initrd: null,
  };
  const imageFiles: ImageFile[] = [];
  const diskBases: string[] = [];
  const givenDisks = args.texts('disk');
  for (const recorded of meta.images) {
    const { role, path } = recorded;
    if (role === 'disk') {
      const { file } = await examineDisk(givenDisks[diskBases.length] ?? path);
      requireSame(recorded, file);
      diskBases.push(file.path);
      imageFiles.push(file);
      continue;
    }
    const { bytes, file } = loadImage(role, args.text(role) ?? path);
    requireSame(recorded, file);
    images[role] = bytes;
    imageFiles.push(file);
  }
  return { images, diskBases, imageFiles };
}

function requireSame(recorded: ImageFile, found: ImageFile): void {
  if (found.sha256 === recorded.sha256) return;
  throw new LockstepError(
    'BAD_IMAGE',
    `${found.path} is not the ${found.role} of the recording: its SHA-256 is ${found.sha256}, ` +
      `the log says ${recorded.sha256}; give the right one with --${found.role} FILE`,
    { path: found.path },
  );
}

/** The machine where the log ends, as another life of it can go on from. */
async function copyAtEnd(host: HartHost, epoch: bigint): Promise<Uint8Array> {
  host.pause();
  await host.promote(epoch + 1n);
  return (await host.snapshot()).bytes;
}

async function writeOutput(host: HartHost): Promise<void> {
  for (const { stream, bytes } of await host.outputs()) {
    if (stream !== 'power') process.stdout.write(bytes);
  }
}

function report(
  args: Arguments,
  feed: ReplayFeed,
  result: {
    readonly state: InspectionReport;
    readonly stateHash: bigint;
    readonly departsAt: bigint | null;
  },
): number {
  const { state, stateHash, departsAt } = result;
  const { wallSeconds, tornBytes } = feed;
  if (tornBytes > 0) {
    process.stderr.write(`lockstep: a torn tail of ${tornBytes} bytes is left out\n`);
  }
  const steps = sumOf(state.steps);
  const checks = feed.checksUpTo(state.seq);
  if (args.flag('json')) {
    const { seq, stopped, time } = state;
    const retired = sumOf(state.retired);
    const answer = {
      seq,
      steps,
      retired,
      time,
      checks,
      stateHash: stateHash.toString(16).padStart(16, '0'),
      stopped,
      wallSeconds,
      ...(departsAt === null ? {} : { departsAt }),
    };
    process.stdout.write(`${toJsonLine(answer)}\n`);
    return 0;
  }
  const speed = wallSeconds > 0 ? (Number(steps) / wallSeconds / 1e6).toFixed(1) : '-';
  process.stderr.write(
    `lockstep: replayed to entry ${state.seq}, step ${steps}; ${checks} state checks equal; ` +
      `${wallSeconds.toFixed(2)} s, ${speed} million steps/s\n`,
  );
  if (args.flag('state-hash')) process.stdout.write(stateHashLine(state, stateHash));
  return 0;
}

function sumOf(counts: readonly bigint[]): bigint {
  return counts.reduce((sum, count) => sum + count, 0n);
}
