/**
 * `lockstep record`: like `run`, with everything that `lockstep replay` needs written to a log.
 */

import { cutBatches, encodeBatch } from '../../lib/event/batch.js';
import type { LogEntry } from '../../lib/event/event.js';
import { startOfChain } from '../../lib/host/log-store/meta.js';
import { sha256 } from '../../lib/host/log-store/sha256.js';
import { LogWriter } from '../../lib/host/log-store/writer.js';
import type { MachineSpec } from '../../lib/node/machine-spec.js';
import type { Arguments, Command } from '../command.js';
import { chooseDisks, DISK_OVERLAY_OPTIONS } from '../disk-options.js';
import { runGuest } from '../guest-run.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import { RUN_OPTIONS, readClock, readConsole, reportRun } from '../run-options.js';

/** A recording stands alone: nobody else can have a newer one. */
const EPOCH = 1n;

export const record: Command = {
  usage: ['record --log DIR --kernel FILE [--bios FILE|none] [--initrd FILE] [OPTION]...'],
  description:
    'Runs a machine as `lockstep run` does and writes a log from which `lockstep replay` does ' +
    'exactly the same again. Ctrl-A x powers the machine off. The log keeps the names and hashes ' +
    'of the images, not the images. What is written survives the death of this process at any ' +
    'moment; a batch that was being written then is dropped by replay.',
  options: {
    log: { type: 'string', value: 'DIR', help: 'where the log goes; new or empty' },
    ...MACHINE_OPTIONS,
    ...DISK_OVERLAY_OPTIONS,
    ...RUN_OPTIONS,
  },
  async run(args: Arguments): Promise<number> {
    const directory = args.required('log');
    const { spec, disks } = chooseDisks(args, await readMachine(args, 'own'), false);
    const log = new Recording(directory, spec);
    try {
      const result = await runGuest(
        {
          spec,
          disks,
          role: { kind: 'record', epoch: EPOCH, firstSeq: 1n },
          clock: readClock(args, 'host'),
          untilStep: args.count('until') ?? null,
          console: readConsole(args),
          hashesState: args.flag('state-hash'),
          onBuilt: (digest) => log.begin(digest),
          onEntries: (entries) => log.append(entries),
        },
        null,
      );
      return await reportRun(args, result);
    } finally {
      await log.close();
    }
  },
};

/** The log on disk, begun when the machine's digest is known. */
class Recording {
  private readonly directory: string;
  private readonly spec: MachineSpec;
  private writer: LogWriter | null = null;
  private readonly early: (readonly LogEntry[])[] = [];

  constructor(directory: string, spec: MachineSpec) {
    this.directory = directory;
    this.spec = spec;
  }

  begin(machineDigest: string): void {
    const { config, imageFiles: images } = this.spec;
    const meta = { machineDigest, config, images, start: startOfChain(machineDigest) };
    this.writer = LogWriter.create(this.directory, meta, { flush: 'memory' });
    for (const entries of this.early.splice(0)) this.append(entries);
  }

  append(entries: readonly LogEntry[]): void {
    const { writer } = this;
    if (writer === null) {
      this.early.push(entries);
      return;
    }
    for (const part of cutBatches(entries)) {
      writer.append(encodeBatch(part, EPOCH, writer.position.hash, sha256));
    }
  }

  async close(): Promise<void> {
    await this.writer?.close();
  }
}
