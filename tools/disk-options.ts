/**
 * `--disk-overlay`: where a machine of its own (`run`, `record`, `replay`) keeps what it writes to
 * its disks. The nodes of a pair have their state directory for that.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { LockstepError } from '../lib/base/error.js';
import { hashOverlay, type DiskFiles } from '../lib/host/overlay-file.js';
import type { DiskConfig } from '../lib/machine/config.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { Arguments, OptionTable } from './command.js';

export const DISK_OVERLAY_OPTIONS: OptionTable = {
  'disk-overlay': {
    type: 'string',
    value: 'FILE',
    multiple: true,
    help: 'keep what is written to the disk there, in the order of --disk (it is dropped)',
  },
};

export interface DiskChoice {
  readonly spec: MachineSpec;
  readonly disks: readonly DiskFiles[];
}

/**
 * The files of the disks. `goesOn` lets a run use overlays of earlier ones; the machine is then
 * another one, since it begins with other disks. Errors: USAGE, IO, BAD_IMAGE.
 */
export function chooseDisks(args: Arguments, spec: MachineSpec, goesOn: boolean): DiskChoice {
  const { disks } = spec.config;
  const overlays = args.texts('disk-overlay');
  if (overlays.length > disks.length) {
    throw new LockstepError('USAGE', `${overlays.length} overlays for ${disks.length} disks`);
  }
  const files = disks.map(({ sizeBytes, sha256 }, index) => {
    const overlay = overlays[index];
    return {
      base: spec.diskBases[index] ?? '',
      sizeBytes,
      sha256,
      overlay: overlay === undefined ? null : resolve(overlay),
      goesOn,
      isDurable: overlay !== undefined,
    };
  });
  for (const { overlay } of files) {
    if (goesOn || overlay === null || !existsSync(overlay)) continue;
    throw new LockstepError(
      'USAGE',
      `--disk-overlay: ${overlay} is there already; a log begins with the disk as its image is`,
    );
  }
  const begun = files.map(contentAtPowerOn);
  return { spec: { ...spec, config: { ...spec.config, disks: begun } }, disks: files };
}

function contentAtPowerOn({ sizeBytes, sha256, overlay }: DiskFiles): DiskConfig {
  if (overlay === null || !existsSync(overlay)) return { sizeBytes, sha256 };
  return { sizeBytes, sha256: hashOverlay(overlay, sha256) };
}
