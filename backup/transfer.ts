/**
 * Receives a running machine: output history, pages and the chunks of a snapshot, all or nothing.
 *
 * Chunks come in order and without gaps, at most as much as a machine can have, and their hash is
 * compared at the end; what does not fit is BAD_SNAPSHOT and nothing of it is used.
 */

import { createHash } from 'node:crypto';
import { ByteReader, DecodeError } from '../lib/base/bytes.js';
import { LockstepError } from '../lib/base/error.js';
import { OUTPUT_STREAMS, type OutputStream } from '../lib/event/event.js';
import { MAX_PAGES } from '../lib/event/limits.js';
import { toHex } from '../lib/host/log-store/sha256.js';
import { StreamHistory } from '../lib/node/stream-history.js';
import type {
  MachinePages,
  OutputHistory,
  SnapshotChunk,
} from '../lib/rpc/generated/lockstep/v1/replication.js';
import { MAX_SNAPSHOT_BYTES } from '../lib/rpc/limits.js';
import { readPages } from '../lib/session/page-runs.js';
import { PageStore, type StoredPages } from '../lib/session/page-store.js';

export interface ReceivedMachine {
  /** Last entry before the snapshot, and the chain hash there. */
  readonly seq: bigint;
  readonly chain: Uint8Array;
  /** It lacks the pages that were copied before. */
  readonly snapshot: Uint8Array;
  readonly copied: StoredPages;
  readonly histories: ReadonlyMap<OutputStream, StreamHistory>;
}

export class SnapshotReceiver {
  private readonly chunks: Buffer[] = [];
  private readonly hash = createHash('sha256');
  private readonly histories = new Map<OutputStream, StreamHistory>();
  /** Pages copied while the primary ran on. */
  private readonly pages = new PageStore();
  private size = 0;
  private seq = 0n;

  takeHistory(message: OutputHistory): void {
    const stream = OUTPUT_STREAMS.find((name) => name === message.stream);
    if (stream === undefined) throw bad(`output stream "${message.stream}" is not known`);
    const known = this.histories.get(stream);
    const history = known?.end === message.offset ? known : new StreamHistory(message.offset);
    history.append(message.offset, message.data);
    this.histories.set(stream, history);
  }

  takePages(message: MachinePages): void {
    this.hash.update(message.data);
    try {
      const input = new ByteReader(message.data);
      for (const [page, bytes] of readPages(input, MAX_PAGES)) this.pages.put(page, bytes);
      if (input.remaining > 0) throw bad(`${input.remaining} bytes after a list of pages`);
    } catch (error) {
      if (error instanceof DecodeError) throw bad(error.message);
      throw error;
    }
    if (this.pages.bytes > MAX_SNAPSHOT_BYTES) {
      throw bad(`pages of more than ${MAX_SNAPSHOT_BYTES} bytes`);
    }
  }

  /** The machine, with the last chunk; null before. */
  takeChunk(chunk: SnapshotChunk): ReceivedMachine | null {
    if (chunk.index !== this.chunks.length) {
      throw bad(`chunk ${chunk.index} stands where ${this.chunks.length} is due`);
    }
    if (chunk.index > 0 && chunk.seq !== this.seq) throw bad('chunks of two snapshots');
    this.seq = chunk.seq;
    this.size += chunk.data.length;
    if (this.size > MAX_SNAPSHOT_BYTES) throw bad(`more than ${MAX_SNAPSHOT_BYTES} bytes`);
    this.chunks.push(chunk.data);
    this.hash.update(chunk.data);
    if (!chunk.last) return null;
    if (toHex(this.hash.digest()) !== toHex(chunk.sha256)) throw bad('its hash does not match');
    const snapshot = new Uint8Array(this.size);
    let at = 0;
    for (const data of this.chunks) {
      snapshot.set(data, at);
      at += data.length;
    }
    const chain = new Uint8Array(chunk.chain);
    return {
      seq: chunk.seq,
      chain,
      snapshot,
      copied: this.pages.stored(),
      histories: this.histories,
    };
  }
}

function bad(reason: string): LockstepError {
  return new LockstepError('BAD_SNAPSHOT', `the snapshot of the primary can't be used: ${reason}`);
}
