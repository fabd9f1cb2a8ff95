/**
 * One TCP connection (RFC 9293) between a gateway and a guest, without sockets and clocks.
 *
 *   connect() -> opening --SYN ACK--> open --both ends done--> lingering --time--> closed
 *   answer()  -> asked --establish()--> accepted --ACK--> open
 *   any state --RST, abort(), silence--> closed
 *
 * `receive` takes the guest's segments, `send`, `finish` and `consumed` the other side's wishes,
 * `tick` the time; then `takeSegments` gives what goes to the guest and `takeEvents` what the other
 * side must know. Bytes are handed on once, in order, and never beyond what the window allowed.
 *
 * Not here: urgent data (delivered in line), selective acknowledgements, timestamps, simultaneous
 * open. Nagle's rule is left out: what is written goes out at once.
 */

import { assert } from '../base/assert.js';
import { TcpReceiver } from './tcp-receiver.js';
import { FLAG, type Segment } from './tcp-segment.js';
import { TcpSender, type Outgoing } from './tcp-sender.js';

/** Bytes kept for a guest that does not read, or for a host that does not. */
export const BUFFER_BYTES = 262_144;
/** Ethernet's 1500 bytes without two headers of 20. */
export const MAX_SEGMENT_BYTES = 1460;
/** Timeouts in a row after which a guest that is there counts as gone: more than a minute. */
export const MAX_RETRIES = 20;

/** Lets the window name 256 KiB in 16 bits. */
const WINDOW_SHIFT = 3;
const ACK_DELAY_MS = 10;
/** Both ends are done; a FIN that comes again is still answered. */
const LINGER_MS = 2_000;

export type TcpPhase = 'opening' | 'asked' | 'accepted' | 'open' | 'lingering' | 'closed';

export type TcpEvent =
  | { readonly kind: 'opened' }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  /** The guest sends no more. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly reason: 'refused' | 'reset' | 'silent' };

export interface TcpEnds {
  readonly localPort: number;
  readonly remotePort: number;
  /** First sequence number of this side. */
  readonly firstSeq: number;
}

export class TcpConnection {
  phase: TcpPhase;
  private readonly ends: TcpEnds;
  private readonly sender = new TcpSender();
  private readonly receiver = new TcpReceiver(BUFFER_BYTES);
  /** The guest's first sequence number, once it is known. */
  private remoteFirstSeq: number | null = null;
  private sendShift = 0;
  private receiveShift = 0;
  private events: TcpEvent[] = [];
  private resets: Segment[] = [];
  private ackNow = false;
  private ackDueMs: number | null = null;
  private unackedSegments = 0;
  private lingerUntilMs: number | null = null;
  private toldFinished = false;

  private constructor(ends: TcpEnds, phase: TcpPhase) {
    this.ends = ends;
    this.phase = phase;
  }

  /** Opens a connection to the guest. */
  static connect(ends: TcpEnds): TcpConnection {
    return new TcpConnection(ends, 'opening');
  }

  /** Answers the guest's SYN, after `establish` has said that somebody is there. */
  static answer(ends: TcpEnds, syn: Segment): TcpConnection {
    const connection = new TcpConnection(ends, 'asked');
    connection.noteSyn(syn);
    return connection;
  }

  /** Bytes that `send` takes now. */
  get sendRoom(): number {
    return Math.max(0, BUFFER_BYTES - this.sender.heldBytes);
  }

  get isClosed(): boolean {
    return this.phase === 'closed';
  }

  establish(): void {
    if (this.phase === 'asked') this.phase = 'accepted';
  }

  send(bytes: Uint8Array): void {
    if (this.phase !== 'closed') this.sender.add(bytes);
  }

  /** Sends FIN after everything given to `send`. */
  finish(): void {
    this.sender.finish();
  }

  /** Ends the connection with RST. */
  abort(): void {
    if (this.phase === 'closed') return;
    this.phase = 'closed';
    const hasAck = this.remoteFirstSeq !== null;
    const seq = this.seqOf(this.sender.nextOffset);
    this.resets.push(this.segment(seq, FLAG.rst | (hasAck ? FLAG.ack : 0)));
  }

  /** The other side has got rid of `count` bytes that came as `data`. */
  consumed(count: number): void {
    this.receiver.consumed(count);
    if (this.receiver.hasNews && this.phase === 'open') this.ackNow = true;
  }

  /** The guest lives somewhere else now, and may have missed what was on its way. */
  kick(): void {
    if (this.phase === 'asked' || this.phase === 'closed') return;
    this.sender.kick();
  }

  deadlineMs(): number | null {
    if (this.phase === 'closed') return null;
    const times = [this.sender.deadlineMs, this.ackDueMs, this.lingerUntilMs];
    const set = times.filter((time) => time !== null);
    return set.length === 0 ? null : Math.min(...set);
  }

  tick(nowMs: number): void {
    if (this.phase === 'closed') return;
    if (this.lingerUntilMs !== null && nowMs >= this.lingerUntilMs) {
      this.phase = 'closed';
      return;
    }
    if (this.ackDueMs !== null && nowMs >= this.ackDueMs) this.ackNow = true;
    const { deadlineMs } = this.sender;
    if (deadlineMs === null || nowMs < deadlineMs) return;
    this.sender.expire(nowMs);
    if (this.sender.retries > MAX_RETRIES) {
      this.abort();
      this.fail('silent');
    }
  }

  takeEvents(): TcpEvent[] {
    const { events } = this;
    this.events = [];
    return events;
  }

  /** What goes to the guest now. */
  takeSegments(nowMs: number): Segment[] {
    const segments = this.resets;
    this.resets = [];
    if (this.phase === 'closed' || this.phase === 'asked') return segments;
    for (const outgoing of this.sender.take(nowMs)) segments.push(this.dress(outgoing));
    if (this.ackNow && segments.length === 0) {
      segments.push(this.segment(this.seqOf(this.sender.nextOffset), FLAG.ack));
    }
    if (segments.length > 0) this.noteAcked();
    this.lingerIfDone(nowMs);
    return segments;
  }

  receive(segment: Segment, nowMs: number): void {
    if (this.phase === 'closed') return;
    if (this.phase === 'opening') this.receiveAnswer(segment, nowMs);
    else this.receiveInOrder(segment, nowMs);
  }

  /** The answer to our SYN. */
  private receiveAnswer(segment: Segment, nowMs: number): void {
    const { flags } = segment;
    const hasAck = (flags & FLAG.ack) !== 0;
    const isOurs = hasAck && this.sentOffset(segment.ack) === 1;
    if ((flags & FLAG.rst) !== 0) {
      if (isOurs) this.fail('refused');
      return;
    }
    if (hasAck && !isOurs) {
      this.resets.push(this.segment(segment.ack, FLAG.rst));
      return;
    }
    if ((flags & FLAG.syn) === 0 || !hasAck) return;
    this.noteSyn(segment);
    this.sender.acknowledge(1, segment.window, false, nowMs);
    this.open();
    this.ackNow = true;
  }

  private receiveInOrder(segment: Segment, nowMs: number): void {
    const { flags, payload } = segment;
    const offset = this.receivedOffset(segment.seq);
    if ((flags & FLAG.rst) !== 0) {
      if (offset === this.receiver.next) this.fail('reset');
      else if (this.isInWindow(offset, 1)) this.ackNow = true;
      return;
    }
    if ((flags & FLAG.syn) !== 0) {
      if (this.phase === 'accepted' && offset === 0) this.sender.kick();
      else if (this.phase !== 'asked') this.ackNow = true;
      return;
    }
    if ((flags & FLAG.ack) === 0 || this.phase === 'asked') return;
    const bytes = payload.length + ((flags & FLAG.fin) === 0 ? 0 : 1);
    if (!this.isInWindow(offset, bytes)) this.ackNow = true;
    if (offset > this.receiver.next + this.receiver.window) return;
    if (!this.takeAck(segment, bytes === 0, nowMs)) return;
    if (bytes > 0) this.takeData(segment, offset, nowMs);
    this.lingerIfDone(nowMs);
  }

  /** RFC 9293, 3.10.7.4: some part of the segment lies in the window. */
  private isInWindow(offset: number, bytes: number): boolean {
    const { next, window } = this.receiver;
    if (bytes === 0) return offset === next || (offset > next && offset < next + window);
    return offset + bytes > next && offset < next + window;
  }

  /** False for an acknowledgement of what was never sent. */
  private takeAck(segment: Segment, isBare: boolean, nowMs: number): boolean {
    const offset = this.sentOffset(segment.ack);
    if (offset > this.sender.highestOffset) {
      this.ackNow = true;
      return false;
    }
    if (offset < this.sender.unacknowledged) return true;
    const window = segment.window * 2 ** this.sendShift;
    this.sender.acknowledge(offset, window, isBare, nowMs);
    if (this.phase === 'accepted' && offset >= 1) this.open();
    return true;
  }

  private takeData(segment: Segment, offset: number, nowMs: number): void {
    const fin = (segment.flags & FLAG.fin) !== 0;
    const { bytes, isOrderly } = this.receiver.accept(offset, segment.payload, fin);
    for (const part of bytes) this.events.push({ kind: 'data', bytes: part });
    if (bytes.length === 0 || !isOrderly) this.ackNow = true;
    this.unackedSegments += 1;
    if (this.unackedSegments >= 2) this.ackNow = true;
    this.ackDueMs ??= nowMs + ACK_DELAY_MS;
    if (!this.receiver.isDone || this.toldFinished) return;
    this.toldFinished = true;
    this.ackNow = true;
    this.events.push({ kind: 'finished' });
  }

  private noteSyn(syn: Segment): void {
    this.remoteFirstSeq = syn.seq;
    this.sender.setMaxSegment(Math.min(MAX_SEGMENT_BYTES, syn.maxSegment ?? 536));
    if (syn.windowShift === null) return;
    this.sendShift = syn.windowShift;
    this.receiveShift = WINDOW_SHIFT;
  }

  private open(): void {
    this.phase = 'open';
    this.events.push({ kind: 'opened' });
  }

  private lingerIfDone(nowMs: number): void {
    if (this.phase !== 'open' || !this.sender.isDone || !this.receiver.isDone) return;
    this.phase = 'lingering';
    this.lingerUntilMs = nowMs + LINGER_MS;
  }

  /** Once both ends have everything, only the last acknowledgement can be lost: no failure. */
  private fail(reason: 'refused' | 'reset' | 'silent'): void {
    this.phase = 'closed';
    if (this.receiver.isDone && this.sender.isDrained) return;
    this.events.push({ kind: 'failed', reason });
  }

  private noteAcked(): void {
    this.ackNow = false;
    this.ackDueMs = null;
    this.unackedSegments = 0;
  }

  /** The segment that carries a piece of the stream, with the acknowledgement of now. */
  private dress({ offset, syn, fin, payload }: Outgoing): Segment {
    const hasAck = this.remoteFirstSeq !== null;
    const flags =
      (syn ? FLAG.syn : 0) |
      (fin ? FLAG.fin : 0) |
      (payload.length > 0 ? FLAG.psh : 0) |
      (hasAck ? FLAG.ack : 0);
    const segment = { ...this.segment(this.seqOf(offset), flags), payload };
    if (!syn) return segment;
    // The guest's SYN says whether it knows scales; ours offers one if it comes first.
    const offersShift = !hasAck || this.receiveShift > 0;
    return {
      ...segment,
      window: Math.min(0xffff, this.receiver.advertise()),
      maxSegment: MAX_SEGMENT_BYTES,
      windowShift: offersShift ? WINDOW_SHIFT : null,
    };
  }

  private segment(seq: number, flags: number): Segment {
    const window = this.receiver.advertise();
    const ack =
      this.remoteFirstSeq === null ? 0 : (this.remoteFirstSeq + this.receiver.next) % 2 ** 32;
    return {
      sourcePort: this.ends.localPort,
      targetPort: this.ends.remotePort,
      seq,
      ack: (flags & FLAG.ack) === 0 ? 0 : ack,
      flags,
      window: Math.min(0xffff, Math.floor(window / 2 ** this.receiveShift)),
      maxSegment: null,
      windowShift: null,
      payload: new Uint8Array(0),
    };
  }

  private seqOf(offset: number): number {
    return (this.ends.firstSeq + offset) % 2 ** 32;
  }

  /** The offset that the guest acknowledges, nearest to what is unacknowledged. */
  private sentOffset(seq: number): number {
    const una = this.sender.unacknowledged;
    return una + ((seq - this.seqOf(una)) | 0);
  }

  /** The offset of the guest's `seq`, nearest to what is wanted next. */
  private receivedOffset(seq: number): number {
    const first = this.remoteFirstSeq;
    assert(first !== null, 'a segment in order of a guest that has not spoken');
    const { next } = this.receiver;
    return next + ((seq - ((first + next) % 2 ** 32)) | 0);
  }
}
