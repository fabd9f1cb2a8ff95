/**
 * Where a backup dials next, and when.
 *
 * Addresses are tried in turn; a node that knows the primary puts it in front. The wait doubles
 * from try to try, and starts anew once a primary has answered a hello.
 */

import { assert } from '../base/assert.js';
import type { PairLimits } from './limits.js';

export class BackupDialer {
  /** Number of the stream dialed last. */
  stream = 0;
  /** Whether that stream has not ended. */
  hasStream = false;
  /** When the next dial is due, if there is no stream. */
  dueMs = 0;
  private addresses: string[];
  private nextAddress = 0;
  private waitMs: number;
  private readonly limits: PairLimits;

  constructor(addresses: readonly string[], limits: PairLimits) {
    assert(addresses.length > 0, 'a backup needs the address of a primary');
    this.addresses = [...addresses];
    this.limits = limits;
    this.waitMs = limits.redialMs;
  }

  isDue(nowMs: number): boolean {
    return !this.hasStream && nowMs >= this.dueMs;
  }

  /** Begins a stream to the next address. */
  next(): { readonly stream: number; readonly address: string } {
    const address = this.addresses[this.nextAddress % this.addresses.length];
    assert(address !== undefined, 'no address to dial');
    this.nextAddress += 1;
    this.stream += 1;
    this.hasStream = true;
    return { stream: this.stream, address };
  }

  postpone(nowMs: number): void {
    this.dueMs = nowMs + this.waitMs;
    this.waitMs = Math.min(this.waitMs * 2, this.limits.redialMaxMs);
  }

  /** A primary took the hello. */
  welcomed(): void {
    this.waitMs = this.limits.redialMs;
  }

  prefer(address: string): void {
    this.addresses = [address, ...this.addresses.filter((known) => known !== address)];
    this.nextAddress = 0;
  }
}
