/**
 * Sends a running machine to a new backup: stop, copy, go on, then send the copy.
 *
 *   history of each output stream   so that a client can still get it from the new backup
 *   chunks of the snapshot          each when the transport is ready for it
 *
 * The guest is stopped only while its worker copies it. What it does afterwards is in the log,
 * which is kept until the backup has it.
 */

import type { Hash } from 'node:crypto';
import { present } from '../lib/base/assert.js';
import type { OutputStream } from '../lib/event/event.js';
import type { HartPort } from '../lib/node/hart-port.js';
import type { LogTail } from '../lib/node/log-tail.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import type { ReplicateResponse } from '../lib/rpc/generated/lockstep/v1/replication.js';
import { SNAPSHOT_CHUNK_BYTES } from '../lib/rpc/limits.js';

export interface SnapshotSource {
  readonly hart: HartPort;
  readonly tail: LogTail;
  /** Output that has left, by stream. */
  readonly histories: () => ReadonlyMap<OutputStream, StreamHistory>;
}

/** Sends one message when there is room; false if nobody listens any more. */
export type SnapshotWriter = (
  message: NonNullable<ReplicateResponse['message']>,
  bytes: number,
) => Promise<boolean>;

/** Resolves with the position of the snapshot when all of it was handed to the transport. */
export async function sendSnapshot(
  source: SnapshotSource & { readonly hash: Hash },
  epoch: bigint,
  write: SnapshotWriter,
): Promise<bigint> {
  const { seq, bytes } = await source.hart.host.snapshot();
  const chain = present(source.tail.hashAt(seq), `chain hash at the snapshot's entry ${seq}`);
  source.tail.pin(seq);
  for (const [stream, history] of source.histories()) {
    await sendHistory(epoch, stream, history, write);
  }
  const count = Math.max(1, Math.ceil(bytes.length / SNAPSHOT_CHUNK_BYTES));
  for (let index = 0; index < count; index += 1) {
    const data = view(
      bytes.subarray(index * SNAPSHOT_CHUNK_BYTES, (index + 1) * SNAPSHOT_CHUNK_BYTES),
    );
    source.hash.update(data);
    const last = index === count - 1;
    const proof = last
      ? { chain: view(chain), sha256: source.hash.digest() }
      : { chain: Buffer.alloc(0), sha256: Buffer.alloc(0) };
    const value = { epoch, seq, index, last, data, ...proof };
    if (!(await write({ $case: 'snapshot', value }, data.length))) break;
  }
  return seq;
}

async function sendHistory(
  epoch: bigint,
  stream: OutputStream,
  history: StreamHistory,
  write: SnapshotWriter,
): Promise<void> {
  const end = history.end;
  let offset = history.start;
  while (offset < end) {
    // What is sent meanwhile may push old bytes out of the history; they are then gone here too.
    if (offset < history.start) offset = history.start;
    const data = view(history.read(offset, SNAPSHOT_CHUNK_BYTES));
    const value = { epoch, stream, offset, data };
    if (!(await write({ $case: 'history', value }, data.length))) return;
    offset += BigInt(data.length);
  }
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
