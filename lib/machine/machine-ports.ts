/**
 * What a machine gets from its host, beside what it is made of.
 */

import type { Disk } from '../device/disk.js';
import type { RegionObserver } from '../jit/region-observer.js';
import type { RunningSha256 } from './machine-digest.js';
import type { ThreadPort } from './parallel/hart-thread.js';

export interface MachinePorts {
  /** One for each of the configuration. */
  readonly disks?: readonly Disk[];
  readonly sha256?: RunningSha256;
  /** Watches the compiler; no effect on the machine. */
  readonly regions?: RegionObserver;
  /** Threads for harts that run in parallel; null where there are none. */
  readonly threads?: ThreadPort | null;
}
