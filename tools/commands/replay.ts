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
import type { LogMeta } from '../../lib/host/log-store/meta.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import type { MachineImages } from '../../lib/machine/config.js';
import type { Arguments, Command } from '../command.js';
import { ENGINE_OPTIONS, loadImage, readEngine } from '../machine-flags.js';
import { toJsonLine } from '../output.js';
import { ReplayFeed } from '../replay-feed.js';
import { stateHashLine } from '../run-options.js';

export const replay: Command = {
  usage: ['replay --log DIR [--to-seq N | --to-step N] [--state-hash] [--json]'],
  description:
    'Replays a log and compares everything that it says: interrupts, output, hashes of the state. ' +
    'The first difference ends it with exit status 9 and a report that names the log entry, the ' +
    'step, and the register, device word or page that differs, with both values.',
  options: {
    log: { type: 'string', value: 'DIR', help: 'a directory that record or a node has written' },
    'to-seq': { type: 'string', value: 'N', help: 'stop after this log entry' },
    'to-step': { type: 'string', value: 'N', help: 'stop when this many steps are counted' },
    bios: { type: 'string', value: 'FILE', help: 'firmware, where it is not at its recorded path' },
    kernel: { type: 'string', value: 'FILE', help: 'the same for the kernel' },
    initrd: { type: 'string', value: 'FILE', help: 'the same for the initrd' },
    ...ENGINE_OPTIONS,
    output: { type: 'boolean', help: "write the guest's output to standard output" },
    'state-hash': { type: 'boolean', help: 'print the step and a hash over all state at the end' },
    json: { type: 'boolean', help: 'print the result as a JSON object' },
  },
  run: replayLog,
};

async function replayLog(args: Arguments): Promise<number> {
  const reader = LogReader.open(args.required('log'));
  const { meta } = reader;
  if (meta === null) {
    throw new LockstepError('BAD_LOG', 'a single segment does not say which machine it is of');
  }
  if (meta.start.firstSeq !== 1n) {
    throw new LockstepError(
      'BAD_LOG',
      `the log begins at entry ${meta.start.firstSeq}, not at power-on; replay of such a log ` +
        'needs the log of the node that it was copied from',
    );
  }
  const images = await findImages(args, meta);
  const feed = new ReplayFeed(reader, args.count('to-seq') ?? null);
  const untilStep = args.count('to-step') ?? null;
  const host = await HartHost.start({
    config: meta.config,
    images,
    engine: readEngine(args),
    start: { kind: 'boot' },
    role: { kind: 'replay', firstSeq: 1n },
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
    if (args.flag('output')) await writeOutput(host);
    return report(args, feed, state);
  } finally {
    feed.close();
    await host.stop();
  }
}

async function findImages(args: Arguments, meta: LogMeta): Promise<MachineImages> {
  const images: { -readonly [role in keyof MachineImages]: MachineImages[role] } = {
    bios: null,
    kernel: null,
    initrd: null,
  };
  for (const { role, path, sha256 } of meta.images) {
    if (role === 'disk') throw new LockstepError('BAD_LOG', 'the log is of a machine with a disk');
    const { bytes, file } = await loadImage(role, args.text(role) ?? path);
    if (file.sha256 !== sha256) {
      throw new LockstepError(
        'BAD_IMAGE',
        `${file.path} is not the ${role} of the recording: its SHA-256 is ${file.sha256}, ` +
          `the log says ${sha256}; give the right one with --${role} FILE`,
        { path: file.path },
      );
    }
    images[role] = bytes;
  }
  return images;
}

async function writeOutput(host: HartHost): Promise<void> {
  for (const { stream, bytes } of await host.outputs()) {
    if (stream !== 'power') process.stdout.write(bytes);
  }
}

function report(args: Arguments, feed: ReplayFeed, state: InspectionReport): number {
  const { wallSeconds, tornBytes } = feed;
  if (tornBytes > 0) {
    process.stderr.write(`lockstep: a torn tail of ${tornBytes} bytes is left out\n`);
  }
  const steps = state.steps[0] ?? 0n;
  const checks = feed.checksUpTo(state.seq);
  if (args.flag('json')) {
    const hash = state.stateHash.toString(16).padStart(16, '0');
    const { seq, stopped, time } = state;
    const retired = state.retired[0] ?? 0n;
    const result = { seq, steps, retired, time, checks, stateHash: hash, stopped, wallSeconds };
    process.stdout.write(`${toJsonLine(result)}\n`);
    return 0;
  }
  const speed = wallSeconds > 0 ? (Number(steps) / wallSeconds / 1e6).toFixed(1) : '-';
  process.stderr.write(
    `lockstep: replayed to entry ${state.seq}, step ${steps}; ${checks} state checks equal; ` +
      `${wallSeconds.toFixed(2)} s, ${speed} million steps/s\n`,
  );
  if (args.flag('state-hash')) process.stdout.write(stateHashLine(state));
  return 0;
}
