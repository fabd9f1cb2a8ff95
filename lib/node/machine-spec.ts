/**
 * What a process needs to build its machine, and to say in its log which one it was.
 */

import type { ImageFile } from '../host/log-store/meta.js';
import type { MachineConfig, MachineImages } from '../machine/config.js';
import type { EngineOptions } from '../machine/engine.js';
import type { NetworkTarget } from './network-link.js';

export interface MachineSpec {
  readonly config: MachineConfig;
  readonly images: MachineImages;
  /** Base images of the disks, in the order of the configuration. */
  readonly diskBases: readonly string[];
  /** Where the images came from; a hint in the log's meta.json. */
  readonly imageFiles: readonly ImageFile[];
  /** What the machine's network card is plugged into; null for nothing. */
  readonly network: NetworkTarget | null;
  /** How guest code runs here; the peer's may differ. */
  readonly engine: EngineOptions;
  /** URL of a module that exports `createMachine`; null for the RISC-V machine. */
  readonly machineFactory: string | null;
}
