/**
 * What a backup's hello means for a primary: whether it runs the same machine, and whether the log
 * goes on from where it stands.
 */

import { LOG_FORMAT_VERSION } from '../lib/event/event.js';
import { toHex } from '../lib/host/log-store/sha256.js';
import type { LogTail } from '../lib/node/log-tail.js';
import type { Hello } from '../lib/rpc/generated/lockstep/v1/replication.js';
import { PROTOCOL_VERSION } from '../lib/rpc/limits.js';

/** More log, or more steps, is slower to replay than a snapshot is to send and load. */
const MAX_RESUME_BYTES = 128 * 1024;
const MAX_RESUME_STEPS = 100_000_000n;

/** Why the hello does not fit; empty if it does. */
export function mismatchOf(hello: Hello, own: { machineId: string; digest: string }): string {
  const pairs = [
    ['protocol version', hello.protocolVersion, PROTOCOL_VERSION],
    ['log format version', hello.logFormatVersion, LOG_FORMAT_VERSION],
    ['machine id', hello.machineId, own.machineId],
    ['machine digest (configuration and images)', hello.machineDigest, own.digest],
  ] as const;
  for (const [what, theirs, ours] of pairs) {
    if (theirs !== ours) return `${what}: the backup has ${theirs}, the primary ${ours}`;
  }
  return '';
}

/** Whether the log after the backup's position is at hand, follows from its own, and is short. */
export function isResumable(hello: Hello, tail: LogTail): boolean {
  const hash = tail.hashAt(hello.receivedSeq);
  if (hash === null) return false;
  if (hello.receivedSeq > 0n && toHex(hash) !== toHex(hello.chain)) return false;
  const { bytes, steps } = tail.distanceFrom(hello.receivedSeq);
  return bytes <= MAX_RESUME_BYTES && steps <= MAX_RESUME_STEPS;
}
