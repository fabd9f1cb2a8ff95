/**
 * Plugs the machine's network card into a switch, or into any peer with QEMU's stream framing.
 *
 *   history of released output --frames--> peer --frames--> the machine's input
 *
 * Like a console client it reads from the history at its own pace, so a peer that does not read
 * holds up nobody. A switch of ours says from which offset of the output stream to go on
 * (lib/network/attachment.ts): nothing is lost and nothing comes twice, whichever process the
 * machine lives in. Another peer is told by an announcement where the machine is, then gets what a
 * predecessor may not have sent; frames may come twice, as on any network.
 *
 * A lost connection is made again; a switch's refusal is final.
 */

import { connect, type Socket } from 'node:net';
import { DecodeError } from '../base/bytes.js';
import { LockstepError } from '../base/error.js';
import { MAX_FRAME_BYTES, MIN_FRAME_BYTES } from '../event/limits.js';
import { buildAnnouncement } from '../network/arp.js';
import { encodePlug, readVerdict, type Verdict } from '../network/attachment.js';
import { formatMac, parseMac } from '../network/ethernet.js';
import { FrameSplitter, withLength } from '../network/frame-stream.js';
import { formatAddress, parseAddress, requireLocal, type Address } from '../rpc/address.js';
import type { Journal } from './journal.js';
import type { StreamHistory } from './stream-history.js';

export interface NetworkTarget {
  readonly kind: 'switch' | 'stream';
  readonly address: Address;
}

/** Errors: USAGE, INSECURE. */
export function parseNetworkTarget(text: string): NetworkTarget {
  const match = /^(switch|stream):(.+)$/.exec(text);
  const kind = match?.[1];
  if (kind !== 'switch' && kind !== 'stream') {
    throw new LockstepError(
      'USAGE',
      `--net: "${text}" is neither switch:ADDRESS nor stream:ADDRESS`,
    );
  }
  const address = parseAddress(match?.[2] ?? '');
  requireLocal(address, 'the network at');
  return { kind, address };
}

/** Bytes given to the socket at once. */
const WRITE_BYTES = 65_536;
const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 500;

export interface NetworkLinkOptions {
  readonly target: NetworkTarget;
  /** Six bytes in hexadecimal with colons. */
  readonly mac: string;
  readonly machineId: string;
  readonly incarnation: string;
  /** The epoch in which this node speaks; 0 without an arbiter. */
  readonly epoch: () => bigint;
  readonly history: () => StreamHistory;
  readonly receive: (frames: readonly Uint8Array[]) => void;
  readonly onUp: (isUp: boolean) => void;
  /** The switch will never take this node. */
  readonly onRefused: (error: LockstepError) => void;
  readonly journal: Journal;
}

export class NetworkLink {
  private readonly options: NetworkLinkOptions;
  private socket: Socket | null = null;
  /** Where the next byte for the peer stands in the stream; null until that is settled. */
  private nextOffset: bigint | null = null;
  /** From where a peer that keeps no account is served first. */
  private resumeFrom: bigint | null = null;
  private retryMs = FIRST_RETRY_MS;
  private timer: NodeJS.Timeout | null = null;
  private isClosed = false;
  private isLost = false;
  private isNoticed = false;

  constructor(options: NetworkLinkOptions) {
    this.options = options;
  }

  /** `resumeFrom`: the first output that a predecessor may not have sent. */
  start(resumeFrom: bigint | null): void {
    this.resumeFrom = resumeFrom;
    this.dial();
  }

  /** There is more output. What comes in one turn of the event loop leaves in one write. */
  notice(): void {
    if (this.isNoticed) return;
    this.isNoticed = true;
    process.nextTick(() => {
      this.isNoticed = false;
      this.pump();
    });
  }

  close(): void {
    this.isClosed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.socket?.destroy();
    this.socket = null;
    this.options.onUp(false);
  }

  private dial(): void {
    if (this.isClosed) return;
    const { address } = this.options.target;
    const socket =
      address.kind === 'unix' ? connect(address.path) : connect(address.port, address.host);
    this.socket = socket;
    this.nextOffset = null;
    socket.setNoDelay(true);
    let failure = 'the connection ended';
    socket.once('connect', () => this.greet(socket));
    socket.on('drain', () => this.pump());
    socket.on('error', (error) => {
      failure = error.message;
    });
    socket.on('close', () => this.lost(socket, failure));
  }

  private lost(socket: Socket, failure: string): void {
    if (this.isClosed || this.socket !== socket) return;
    this.socket = null;
    this.options.onUp(false);
    // Told once, not for every attempt.
    if (!this.isLost) this.options.journal.note({ event: 'network lost', detail: failure });
    this.isLost = true;
    this.timer = setTimeout(() => this.dial(), this.retryMs);
    this.retryMs = Math.min(LAST_RETRY_MS, this.retryMs * 2);
  }

  private greet(socket: Socket): void {
    const { target, mac, machineId, incarnation } = this.options;
    const splitter = new FrameSplitter();
    if (target.kind === 'stream') {
      socket.on('data', (bytes) => this.take(splitter, bytes));
      socket.write(withLength(buildAnnouncement(parseMac(mac))));
      const { start, end } = this.options.history();
      const from = this.resumeFrom ?? end;
      this.resumeFrom = null;
      this.begin(from < start ? start : from);
      return;
    }
    const { start, end } = this.options.history();
    const epoch = this.options.epoch();
    socket.write(encodePlug({ machineId, incarnation, epoch, mac: parseMac(mac), start, end }));
    let head: Uint8Array | null = new Uint8Array(0);
    socket.on('data', (bytes) => {
      if (head === null) return this.take(splitter, bytes);
      head = Buffer.concat([head, bytes]);
      const rest = this.readVerdict(head);
      if (rest === null) return;
      head = null;
      this.take(splitter, rest);
    });
  }

  /** What follows the switch's verdict, null if it is not complete or against us. */
  private readVerdict(bytes: Uint8Array): Uint8Array | null {
    try {
      const read = readVerdict(bytes);
      if (read === null) return null;
      const { verdict } = read;
      if (verdict.verdict !== 'accepted') {
        this.refused(verdict);
        return null;
      }
      this.begin(verdict.offset);
      return bytes.subarray(read.bytes);
    } catch (error) {
      this.giveUpOn(error);
      return null;
    }
  }

  private begin(offset: bigint): void {
    const { target, onUp, journal } = this.options;
    this.retryMs = FIRST_RETRY_MS;
    this.isLost = false;
    this.nextOffset = offset;
    const fields = { peer: formatAddress(target.address), offset };
    journal.note({ event: 'network up', fields });
    onUp(true);
    this.pump();
  }

  private refused({ verdict, epoch }: Verdict): void {
    const { target, machineId, mac, onRefused } = this.options;
    this.close();
    const where = formatAddress(target.address);
    const name = `machine ${machineId} (${formatMac(parseMac(mac))})`;
    onRefused(
      verdict === 'fenced'
        ? new LockstepError('FENCED', `the switch at ${where} knows epoch ${epoch} of ${name}`, {
            epoch,
          })
        : new LockstepError(
            'INCOMPATIBLE_PEER',
            verdict === 'conflict'
              ? `the switch at ${where} knows another life of ${name}; use another ` +
                  '--machine-id, or start the switch again'
              : `the switch at ${where} is of another version`,
          ),
    );
  }

  private take(splitter: FrameSplitter, bytes: Uint8Array): void {
    if (this.isClosed) return;
    try {
      const frames = splitter
        .take(bytes)
        .filter(({ length }) => length >= MIN_FRAME_BYTES && length <= MAX_FRAME_BYTES)
        // A frame of its own: a part of the socket's buffer would travel to the hart whole.
        .map((frame) => new Uint8Array(frame));
      if (frames.length > 0) this.options.receive(frames);
    } catch (error) {
      this.giveUpOn(error);
    }
  }

  /** What the peer sends makes no sense: this connection is over. */
  private giveUpOn(error: unknown): void {
    if (!(error instanceof DecodeError)) throw error;
    this.socket?.destroy(error);
  }

  /** Sends what is there, as far as the socket takes it. */
  private pump(): void {
    const history = this.options.history();
    while (this.socket !== null && this.nextOffset !== null && this.nextOffset < history.end) {
      if (this.socket.writableNeedDrain) return;
      if (this.nextOffset < history.start) {
        // Frames are lost to a peer this slow; a new connection begins between two frames.
        this.socket.destroy(new Error('the peer fell behind'));
        return;
      }
      const bytes = history.read(this.nextOffset, WRITE_BYTES);
      this.nextOffset += BigInt(bytes.length);
      this.socket.write(bytes);
    }
  }
}
