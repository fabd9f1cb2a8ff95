/**
 * Checks a batch message from the primary down to each entry, before anything of it is used.
 *
 * The content is hostile until it has been decoded: checksums, end marks, sequence numbers and the
 * hash chain must go on from what this node holds. What does not fit is told to the core as a batch
 * that is not intact; the core ends the stream.
 */

import { DecodeError } from '../lib/base/bytes.js';
import { decodeBatch, splitBatches } from '../lib/event/batch.js';
import type { LogEntry } from '../lib/event/event.js';
import { sha256, toHex } from '../lib/host/log-store/sha256.js';
import { newestStep, type LogTail } from '../lib/node/log-tail.js';
import type { BackupInput } from '../lib/protocol/backup-contract.js';
import type {
  Accepted,
  Batch as BatchMessage,
} from '../lib/rpc/generated/lockstep/v1/replication.js';
import type { AcceptedBatch } from './replica.js';

type BatchInput = Extract<BackupInput, { readonly kind: 'batch' }>;

export interface ReceivedBatch {
  readonly input: BatchInput;
  /** Empty unless the message is intact. */
  readonly batches: readonly AcceptedBatch[];
}

/** The answer to a hello. */
export function readAccepted(message: Accepted, stream: number): BackupInput {
  const { epoch, firstSeq, snapshot } = message;
  const mode = snapshot ? 'snapshot' : 'resume';
  return { kind: 'hello-answered', stream, epoch, mode, seq: snapshot ? 0n : firstSeq - 1n };
}

export function readBatch(
  message: BatchMessage,
  tail: LogTail,
  stream: number,
  more: boolean,
): ReceivedBatch {
  const batches = decodeAll(message, tail);
  const entries = (batches ?? []).flatMap(({ decoded }) => decoded.entries);
  const { epoch, firstSeq, lastSeq, releasedSeq, counted } = message;
  const input: BatchInput = {
    kind: 'batch',
    stream,
    epoch,
    firstSeq,
    lastSeq,
    releasedSeq,
    counted,
    intact: batches !== null,
    epochs: entries.flatMap(({ seq, event }) =>
      event.kind === 'epoch' ? [{ seq, epoch: event.epoch }] : [],
    ),
    powerOffSeq: entries.find(isEnd)?.seq ?? null,
    more,
  };
  return { input, batches: batches ?? [] };
}

/** The batches of a message, or null if any of it is not what must come next. */
function decodeAll(message: BatchMessage, tail: LogTail): AcceptedBatch[] | null {
  const accepted: AcceptedBatch[] = [];
  let seq = message.firstSeq;
  let previous = toHex(tail.lastHash);
  if (seq !== tail.lastSeq + 1n) return null;
  try {
    const { batches, tornAt } = splitBatches(message.data);
    if (tornAt !== message.data.length) return null;
    for (const encoded of batches) {
      const bytes = new Uint8Array(encoded);
      const decoded = decodeBatch(bytes, sha256);
      const lastSeq = decoded.firstSeq + BigInt(decoded.entries.length) - 1n;
      const fits =
        decoded.firstSeq === seq &&
        toHex(decoded.previousHash) === previous &&
        decoded.epoch <= message.epoch;
      if (!fits) return null;
      const { recordedNs } = message;
      const step = newestStep(decoded.entries);
      const kept = { bytes, hash: decoded.hash, firstSeq: seq, lastSeq, recordedNs, step };
      accepted.push({ decoded, kept });
      seq = lastSeq + 1n;
      previous = toHex(decoded.hash);
    }
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
  return seq === message.lastSeq + 1n ? accepted : null;
}

/** The guest's own power-off shows as output of the power stream, an ordered one as control. */
function isEnd({ event }: LogEntry): boolean {
  if (event.kind === 'output-mark') return event.stream === 'power';
  return event.kind === 'control' && event.action === 'power-off';
}
