/**
 * The virtio block device (virtio 1.2, section 5.2): one queue of requests over one disk.
 *
 * A request is carried out at the kick, at most `BLOCK_BYTES_A_KICK` at a time; what is left is
 * work that the machine goes on with at its next steps, by `resume()`. So a completion has no time
 * of its own: data, used ring and interrupt change together, at a step that follows from machine
 * state alone. No request is ever in flight between two steps, requests are served in the order in
 * which they were made, and a promoted replica has nothing to issue again
 * (docs/decisions/0010-disk-completes-at-the-kick.md).
 *
 * `progress` says how many bytes of the first request are done; every resume walks its chain anew
 * with all checks, since the guest may have changed it.
 */

import type { WordBlock, WordBlockSpec } from '../../memory/word-block.js';
import { SECTOR_BYTES } from '../disk.js';
import type { DiskPort } from '../port.js';
import { VirtioDevice, virtioFields, type VirtioPorts } from './mmio.js';
import type { Chain } from './queue.js';
import { readSegments, writeSegments } from './queue-segments.js';

/** Work in one kick or resume: bytes moved, plus 16 for each descriptor walked. */
export const BLOCK_BYTES_A_KICK = 131_072;
/** A driver that heeds the limits below stays under this; a longer request is refused. */
export const MAX_REQUEST_BYTES = 8 << 20;
/** Sectors that one discard or write-zeroes may name: 128 MiB. */
export const MAX_ZEROED_SECTORS = 262_144;

const DEVICE_ID = 2;
const REQUESTS = 0;
const QUEUES = ['requests'] as const;
const DESCRIPTOR_COST_BYTES = 16;

const FEATURE_SIZE_MAX = 1n << 1n;
const FEATURE_SEG_MAX = 1n << 2n;
const FEATURE_BLK_SIZE = 1n << 6n;
const FEATURE_FLUSH = 1n << 9n;
const FEATURE_TOPOLOGY = 1n << 10n;
const FEATURE_DISCARD = 1n << 13n;
const FEATURE_WRITE_ZEROES = 1n << 14n;
const FEATURES =
  FEATURE_SIZE_MAX |
  FEATURE_SEG_MAX |
  FEATURE_BLK_SIZE |
  FEATURE_FLUSH |
  FEATURE_TOPOLOGY |
  FEATURE_DISCARD |
  FEATURE_WRITE_ZEROES;

const SEGMENT_BYTES_MAX = 65_536;
/** A chain of queue size has a header and a status beside its data. */
const SEGMENTS_MAX = 126;
/** Blocks of 4096 bytes behind sectors of 512, as a power of two. */
const BLOCK_EXPONENT = 3;

const REQUEST = { in: 0, out: 1, flush: 4, id: 8, discard: 11, writeZeroes: 13 } as const;
const STATUS = { ok: 0, ioError: 1, unsupported: 2 } as const;
const HEADER_BYTES = 16;
const ID_BYTES = 20;
const RANGE_BYTES = 16;
/** The flag `unmap` of write-zeroes; every other bit is reserved. */
const RANGE_UNMAP = 1;

export function virtioBlockSpec(index: number): WordBlockSpec {
  return { name: `virtio-block${index}`, fields: [...virtioFields(QUEUES), 'work', 'progress'] };
}

export interface VirtioBlockOptions extends VirtioPorts {
  readonly index: number;
  readonly disk: DiskPort;
}

/** What a step of work on a request came to. */
interface Served {
  /** Bytes it cost of the budget. */
  readonly moved: number;
  /** Null while the request is not complete. */
  readonly status: number | null;
  /** Bytes of data that a complete request has put into the guest's buffers. */
  readonly filled: number;
}

const IO_ERROR: Served = { moved: 0, status: STATUS.ioError, filled: 0 };
const UNSUPPORTED: Served = { moved: 0, status: STATUS.unsupported, filled: 0 };

export class VirtioBlock extends VirtioDevice {
  private readonly disk: DiskPort;
  private readonly serial: Uint8Array;
  private readonly config: Uint8Array;

  /** `block` has `virtioBlockSpec(options.index)`. */
  constructor(block: WordBlock, options: VirtioBlockOptions) {
    const name = `virtio-block${options.index}`;
    super(block, options, { name, deviceId: DEVICE_ID, features: FEATURES, queues: QUEUES });
    this.disk = options.disk;
    this.serial = new Uint8Array(ID_BYTES);
    this.serial.set(Uint8Array.from(`lockstep-${options.index}`, (one) => one.charCodeAt(0)));
    this.config = describe(options.disk.sectorCount);
  }

  /** True while a kick left requests behind; `resume()` goes on with them. */
  hasWork(): boolean {
    return this.get('work') !== 0 && this.isLive();
  }

  /** Serves at most `BLOCK_BYTES_A_KICK` more; a pure function of machine state and disk. */
  resume(): void {
    if (!this.hasWork()) return;
    const queue = this.queue(REQUESTS);
    const features = this.features();
    let budget = BLOCK_BYTES_A_KICK;
    let wantsInterrupt = false;
    while (budget > 0 && this.hasWork()) {
      const next = queue.peek(features);
      if (next.kind !== 'chain' || next.writableBytes === 0) {
        this.put('work', 0);
        if (next.kind !== 'empty') this.fail();
        break;
      }
      const { moved, status, filled } = this.serve(next, budget);
      budget -= moved + (next.readable.length + next.writable.length) * DESCRIPTOR_COST_BYTES;
      if (status === null) continue;
      writeSegments(this.dma, next.writable, next.writableBytes - 1, Uint8Array.of(status));
      this.put('progress', 0);
      wantsInterrupt = queue.finish(next, filled + 1, features) || wantsInterrupt;
    }
    if (wantsInterrupt) this.raiseUsed();
  }

  /** Goes on with one request, by at most `limit` bytes. */
  private serve(chain: Chain, limit: number): Served {
    if (chain.readableBytes < HEADER_BYTES) return IO_ERROR;
    const header = viewOf(readSegments(this.dma, chain.readable, 0, HEADER_BYTES));
    const sector = header.getBigUint64(8, true);
    switch (header.getUint32(0, true)) {
      case REQUEST.in:
      case REQUEST.out:
        return this.transfer(chain, sector, limit, header.getUint32(0, true) === REQUEST.in);
      case REQUEST.flush:
        this.disk.flush();
        return { moved: 0, status: STATUS.ok, filled: 0 };
      case REQUEST.id:
        return this.identify(chain);
      case REQUEST.discard:
      case REQUEST.writeZeroes:
        return this.zero(chain, header.getUint32(0, true) === REQUEST.writeZeroes);
      default:
        return UNSUPPORTED;
    }
  }

  private transfer(chain: Chain, sector: bigint, limit: number, isRead: boolean): Served {
    const total = isRead ? chain.writableBytes - 1 : chain.readableBytes - HEADER_BYTES;
    if (total % SECTOR_BYTES !== 0 || total > MAX_REQUEST_BYTES || !this.holds(sector, total)) {
      return IO_ERROR;
    }
    const done = this.get('progress');
    const whole = Math.ceil(limit / SECTOR_BYTES) * SECTOR_BYTES;
    const moved = Math.max(0, Math.min(total - done, whole));
    const at = Number(sector) + Math.floor(done / SECTOR_BYTES);
    if (moved > 0 && isRead) {
      const bytes = new Uint8Array(moved);
      this.disk.read(at, bytes);
      writeSegments(this.dma, chain.writable, done, bytes);
    } else if (moved > 0) {
      this.disk.write(at, readSegments(this.dma, chain.readable, HEADER_BYTES + done, moved));
    }
    this.put('progress', done + moved);
    if (done + moved < total) return { moved, status: null, filled: 0 };
    // Without FLUSH the driver takes every write for safe (section 5.2.6.2).
    if (!isRead && !this.hasFeature(FEATURE_FLUSH)) this.disk.flush();
    return { moved, status: STATUS.ok, filled: isRead ? total : 0 };
  }

  private identify(chain: Chain): Served {
    const count = Math.min(ID_BYTES, chain.writableBytes - 1);
    writeSegments(this.dma, chain.writable, 0, this.serial.subarray(0, count));
    return { moved: count, status: STATUS.ok, filled: count };
  }

  /** Discarded sectors read as zeros, like zeroed ones: both replicas must agree on them. */
  private zero(chain: Chain, mayUnmap: boolean): Served {
    if (chain.readableBytes !== HEADER_BYTES + RANGE_BYTES) return IO_ERROR;
    const range = viewOf(readSegments(this.dma, chain.readable, HEADER_BYTES, RANGE_BYTES));
    const sector = range.getBigUint64(0, true);
    const count = range.getUint32(8, true);
    const flags = range.getUint32(12, true);
    if ((flags & ~(mayUnmap ? RANGE_UNMAP : 0)) !== 0) return UNSUPPORTED;
    if (count > MAX_ZEROED_SECTORS || !this.holds(sector, count * SECTOR_BYTES)) return IO_ERROR;
    this.disk.zero(Number(sector), count);
    return { moved: BLOCK_BYTES_A_KICK, status: STATUS.ok, filled: 0 };
  }

  private holds(sector: bigint, bytes: number): boolean {
    return sector + BigInt(bytes / SECTOR_BYTES) <= BigInt(this.disk.sectorCount);
  }

  protected override configByte(offset: number): number {
    return this.config[offset] ?? 0;
  }

  protected override onKick(_index: number): void {
    this.put('work', 1);
    this.resume();
  }

  protected override onQueueStopped(_index: number): void {
    this.put('work', 0);
    this.put('progress', 0);
  }
}

/** The configuration space (section 5.2.4). */
function describe(sectorCount: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(60));
  view.setBigUint64(0, BigInt(sectorCount), true);
  view.setUint32(8, SEGMENT_BYTES_MAX, true);
  view.setUint32(12, SEGMENTS_MAX, true);
  view.setUint32(20, SECTOR_BYTES, true);
  view.setUint8(24, BLOCK_EXPONENT);
  view.setUint16(26, 1, true);
  for (const at of [36, 48]) {
    view.setUint32(at, MAX_ZEROED_SECTORS, true);
    view.setUint32(at + 4, 1, true);
  }
  view.setUint32(44, 1 << BLOCK_EXPONENT, true);
  view.setUint8(56, 1);
  return new Uint8Array(view.buffer);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
