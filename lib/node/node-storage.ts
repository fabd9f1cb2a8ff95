/**
 * Where a node keeps its log and its disks, and when it counts as kept.
 *
 * `memory`: an acknowledgement means that the entry is in this process and in the operating
 * system's cache; it survives the process. `durable`: it is on stable storage as well, and so is
 * what the guest has flushed; it survives the host.
 */

export type AckMode = 'memory' | 'durable';

export interface NodeStorage {
  /** Directory of logs and overlays. */
  readonly stateDir: string;
  readonly ack: AckMode;
}
