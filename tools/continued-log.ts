/**
 * Two logs of one machine as one history: the first up to where the second departs from it, then
 * the second.
 *
 *      log of the dead primary   1 ... 900 | 901 ... 905     these no backup ever had
 *      log of the promoted one   (1) ... 900 | 901' ...      901' is its epoch
 *
 * So a replay shows that the machine of the first log stands, at the point of the takeover, where
 * the promoted machine stood: the checks of the second log are met by it.
 *
 * Invariant: what is common is equal to the byte, since the chain hash is.
 */

import { LockstepError } from '../lib/base/error.js';
import type { LogEnd, LogReader, StoredBatch } from '../lib/host/log-store/reader.js';
import { toHex } from '../lib/host/log-store/sha256.js';

/** What a replay reads. */
export interface BatchSource {
  batches(): Generator<StoredBatch, LogEnd, undefined>;
}

export class ContinuedLog implements BatchSource {
  /** Last entry that both logs have. */
  readonly departsAt: bigint;
  private readonly first: LogReader;
  private readonly second: LogReader;

  /** BAD_LOG if the second log does not go on from a point of the first. */
  constructor(first: LogReader, second: LogReader) {
    this.first = first;
    this.second = second;
    this.departsAt = lastCommon(first, second);
  }

  *batches(): Generator<StoredBatch, LogEnd, undefined> {
    for (const stored of this.first.batches()) {
      if (stored.batch.firstSeq > this.departsAt) break;
      yield stored;
    }
    const rest = this.second.batches();
    for (let step = rest.next(); ; step = rest.next()) {
      if (step.done === true) return step.value;
      if (step.value.batch.firstSeq > this.departsAt) yield step.value;
    }
  }
}

function lastCommon(first: LogReader, second: LogReader): bigint {
  const { meta: a } = first;
  const { meta: b } = second;
  if (a === null || b === null || a.machineDigest !== b.machineDigest) {
    throw new LockstepError('BAD_LOG', 'the two logs are not of one machine');
  }
  // Chain hashes of the second log, at the positions where a batch can begin.
  const hashes = new Map<bigint, string>([[b.start.firstSeq, toHex(b.start.previousHash)]]);
  for (const { batch } of second.batches()) hashes.set(seqAfter(batch), toHex(batch.hash));
  let common: bigint | null = null;
  if (hashes.get(a.start.firstSeq) === toHex(a.start.previousHash)) common = a.start.firstSeq - 1n;
  for (const { batch } of first.batches()) {
    const next = seqAfter(batch);
    if (hashes.get(next) === toHex(batch.hash)) common = next - 1n;
    else if (common !== null) break;
  }
  if (common !== null) return common;
  const place = `entry ${b.start.firstSeq}`;
  throw new LockstepError('BAD_LOG', `the second log begins at ${place}, not within the first`);
}

function seqAfter({ firstSeq, entries }: StoredBatch['batch']): bigint {
  return firstSeq + BigInt(entries.length);
}
