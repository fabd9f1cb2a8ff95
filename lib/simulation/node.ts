/**
 * A place where processes live, one after another: what stays when a process dies.
 */

import type { BackupRole } from './backup-role.js';
import type { Fault } from './faults.js';
import type { PrimaryRole } from './primary-role.js';

export interface SimulatedNode {
  readonly id: number;
  /** Processes that have lived here. */
  lives: number;
  /** What the living process does; null while there is none. */
  role: PrimaryRole | BackupRole | null;
  /** Clients can't reach it. */
  isIsolated: boolean;
  /** The effect before which its process is struck next. */
  strike: Extract<Fault, { readonly kind: 'strike' }> | null;
}
