/**
 * What checkers look at: the whole world at one moment, which no node could ever see.
 */

import type { BackupRole } from '../backup-role.js';
import type { Client, Heard } from '../client.js';
import type { Configuration } from '../configuration.js';
import type { Network } from '../network.js';
import type { PrimaryRole } from '../primary-role.js';
import type { SimulatedArbiter } from '../simulated-arbiter.js';

export interface View {
  readonly nowMs: number;
  readonly configuration: Configuration;
  readonly arbiter: SimulatedArbiter;
  readonly network: Network;
  readonly heard: Heard;
  readonly clients: readonly Client[];
  /** Roles of living processes. */
  readonly primaries: readonly PrimaryRole[];
  readonly backups: readonly BackupRole[];
  violation(what: string): void;
}
