/**
 * `lockstep disk export`: the image that a base image and what was written over it make.
 *
 * The guest's view of the disk at the moment of the copy: export the overlay of a machine that has
 * ended. Holes stay holes, so the file takes no more space than its content.
 */

import { open } from 'node:fs/promises';
import { LockstepError } from '../../lib/base/error.js';
import { readOverlaid } from '../../lib/host/overlay-file.js';
import type { Arguments, Command } from '../command.js';

export const diskExport: Command = {
  usage: ['disk export OVERLAY --output FILE [--disk FILE]'],
  description:
    'Writes a raw image with the content that a disk had for the guest: the base image with ' +
    'everything that is in the overlay. Overlays are what `lockstep run --disk-overlay` and ' +
    '`replay --disk-overlay` write, and disks-N/disk-N.overlay in the state directory of a node.',
  options: {
    output: { type: 'string', value: 'FILE', help: 'the image to write; must not be there' },
    disk: { type: 'string', value: 'FILE', help: 'the base image, where it is not where it was' },
  },
  positionals: { min: 1, max: 1 },
  async run(args: Arguments): Promise<number> {
    const output = args.required('output');
    const overlay = args.positionals[0] ?? '';
    try {
      await exportDisk(overlay, args.text('disk') ?? null, output);
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new LockstepError('IO', `${output} can't be written: ${reason}`, { path: output });
    }
    return 0;
  },
};

async function exportDisk(overlay: string, base: string | null, output: string): Promise<void> {
  const file = await open(output, 'wx', 0o600);
  try {
    let position = 0;
    for (const bytes of readOverlaid(overlay, base)) {
      const isHole = bytes.every((byte) => byte === 0);
      if (!isHole) await file.write(bytes, 0, bytes.length, position);
      position += bytes.length;
    }
    await file.truncate(position);
    await file.sync();
  } finally {
    await file.close();
  }
}
