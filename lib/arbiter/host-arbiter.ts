/**
 * An arbiter as a process has it: it can be tried before it is needed, and is closed at the end.
 */

import type { Arbiter } from '../protocol/arbiter.js';

export interface HostArbiter extends Arbiter {
  /** Fails with ARBITER_UNAVAILABLE unless a claim could be decided now. */
  check(): Promise<void>;
  close(): void;
}
