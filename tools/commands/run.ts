/**
 * `lockstep run`: one machine, its console on the terminal, no log and no peer.
 */

import { LockstepError } from '../../lib/base/error.js';
import { isElf, parseElf } from '../../lib/machine/elf.js';
import type { MachineImages } from '../../lib/machine/config.js';
import type { Arguments, Command } from '../command.js';
import { chooseDisks, DISK_OVERLAY_OPTIONS } from '../disk-options.js';
import { runGuest, type RamRange } from '../guest-run.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import {
  RUN_OPTIONS,
  isReproducible,
  readClock,
  readConsole,
  reportRun,
  writeWhole,
} from '../run-options.js';

const MAX_SIGNATURE_BYTES = 16 << 20;

export const run: Command = {
  usage: ['run --kernel FILE [--bios FILE|none] [--initrd FILE] [--append TEXT] [OPTION]...'],
  description:
    "Runs a machine like QEMU's virt with its UART on the terminal; Ctrl-A x quits. The exit " +
    'status is the one that the guest gives through its syscon device, or through HTIF where the ' +
    'ELF has a tohost symbol.\n' +
    '\n' +
    'With --until or --state-hash the run is reproducible: virtual time is a function of the step ' +
    "count, idle time is skipped, and the clock's start and the random seed come from the images " +
    'and not from the host, unless --clock, --rtc and --rng-seed say otherwise.\n' +
    '\n' +
    'The image of a disk is never written. What the guest writes goes to the --disk-overlay, ' +
    'which a later run goes on with, or is dropped at the end; `lockstep disk export` makes an ' +
    'image of the two.',
  options: {
    ...MACHINE_OPTIONS,
    ...DISK_OVERLAY_OPTIONS,
    ...RUN_OPTIONS,
    snapshot: {
      type: 'string',
      value: 'FILE',
      help: 'write the machine there when --until is reached, for `lockstep primary --restore`',
    },
    signature: {
      type: 'string',
      value: 'FILE',
      help: 'write the memory from begin_signature to end_signature, one 32-bit word a line',
    },
  },
  async run(args: Arguments): Promise<number> {
    const reproducible = isReproducible(args);
    const flags = await readMachine(args, reproducible ? 'agreed' : 'own');
    const signatureFile = args.text('signature');
    const signature = signatureFile === undefined ? null : signatureRange(flags.images);
    const snapshotFile = args.text('snapshot');
    const takesSnapshot = snapshotFile !== undefined;
    if (takesSnapshot && args.text('until') === undefined) {
      throw new LockstepError('USAGE', '--snapshot: --until STEP says when');
    }
    const { spec, disks } = chooseDisks(args, flags, !takesSnapshot);
    const result = await runGuest(
      {
        spec,
        disks,
        // A machine that is copied counts its log, though nobody keeps it.
        role: takesSnapshot ? { kind: 'record', epoch: 1n, firstSeq: 1n } : { kind: 'free' },
        takesSnapshot,
        hashesState: args.flag('state-hash'),
        clock: readClock(args, reproducible ? 'steps' : 'host'),
        untilStep: args.count('until') ?? null,
        console: readConsole(args),
      },
      signature,
    );
    if (signatureFile !== undefined && result.ram !== null) {
      await writeWhole(signatureFile, signatureText(result.ram));
    }
    if (snapshotFile !== undefined && result.snapshot !== null) {
      await writeWhole(snapshotFile, result.snapshot);
    }
    return reportRun(args, result);
  },
};

/** Where the program says that its signature is. Errors: USAGE. */
function signatureRange(images: MachineImages): RamRange {
  for (const image of [images.kernel, images.bios]) {
    if (image === null || !isElf(image)) continue;
    const { begin_signature: begin, end_signature: end } = parseElf(image, 'kernel').symbols;
    if (begin === undefined || end === undefined) continue;
    if (end < begin || end - begin > BigInt(MAX_SIGNATURE_BYTES)) {
      throw new LockstepError('USAGE', `--signature: a signature of ${end - begin} bytes`);
    }
    return { address: begin, bytes: Number(end - begin) };
  }
  throw new LockstepError(
    'USAGE',
    '--signature: no image is an ELF with the symbols begin_signature and end_signature',
  );
}

function signatureText(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at + 4 <= bytes.length; at += 4) {
    text += `${view.getUint32(at, true).toString(16).padStart(8, '0')}\n`;
  }
  return text;
}
