/**
 * The sending half of a TCP connection: what is unacknowledged, what may be sent, and when to send
 * it again.
 *
 *      0      1                              1 + length
 *      SYN    first byte ... last byte       FIN              offsets, which never wrap
 *             ^una       ^next     ^limit of window and congestion
 *
 * Invariant: una <= next <= highest; the queue holds every byte from una on, so what is not
 * acknowledged can always be sent again.
 *
 * Loss is found by three repeated acknowledgements (one segment is sent again, RFC 6582) or by the
 * timer (everything is). A closed window is probed with one byte whenever the timer runs out.
 */

import { assert } from '../base/assert.js';
import { ByteQueue } from './byte-queue.js';
import { RoundTrip } from './round-trip.js';

const FIRST_WINDOW_SEGMENTS = 10;
const REPEATED_ACKS = 3;
const DEFAULT_MAX_SEGMENT = 536;

export interface Outgoing {
  readonly offset: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly payload: Uint8Array;
}

export class TcpSender {
  /** Timeouts since the peer last answered. */
  retries = 0;
  deadlineMs: number | null = null;
  private readonly queue = new ByteQueue();
  private readonly roundTrip = new RoundTrip();
  /** Offset after the last byte. */
  private end = 1;
  private una = 0;
  private next = 0;
  private highest = 0;
  private isFinishing = false;
  private window = 0;
  private maxSegment = DEFAULT_MAX_SEGMENT;
  private congestion = FIRST_WINDOW_SEGMENTS * DEFAULT_MAX_SEGMENT;
  private threshold = Infinity;
  private repeated = 0;
  /** Until this is acknowledged, one loss is being repaired. */
  private recoverTo: number | null = null;
  private repairs = false;
  private probes = false;
  /** The segment whose round trip is being measured. */
  private timed: { readonly end: number; readonly atMs: number } | null = null;

  /** Bytes that wait or are unacknowledged. */
  get heldBytes(): number {
    return this.queue.length;
  }
  get unacknowledged(): number {
    return this.una;
  }
  get nextOffset(): number {
    return this.next;
  }
  /** No acknowledgement goes beyond this. */
  get highestOffset(): number {
    return this.highest;
  }
  /** The peer has everything, FIN included. */
  get isDone(): boolean {
    return this.isFinishing && this.una === this.end + 1;
  }

  /** The peer has every byte, if not FIN. */
  get isDrained(): boolean {
    return this.isFinishing && this.una >= this.end;
  }

  add(bytes: Uint8Array): void {
    assert(!this.isFinishing, 'bytes after the end of a stream');
    this.queue.add(bytes);
    this.end += bytes.length;
  }

  /** Nothing is added any more. */
  finish(): void {
    this.isFinishing = true;
  }

  /** The peer's SYN has said how much it takes at once. */
  setMaxSegment(bytes: number): void {
    this.maxSegment = Math.max(64, bytes);
    this.congestion = FIRST_WINDOW_SEGMENTS * this.maxSegment;
  }

  /** Everything before `offset` has arrived; the peer has room for `window` bytes more. */
  acknowledge(offset: number, window: number, isBare: boolean, nowMs: number): void {
    assert(offset <= this.highest, `offset ${offset} acknowledged, ${this.highest} sent`);
    this.retries = 0;
    const isSame = offset === this.una && window === this.window;
    const isRepeated = isSame && isBare && window > 0 && this.next > this.una;
    // A byte that probed a closed window was not taken.
    if (this.window === 0 && window > 0 && this.una > 0) this.next = this.una;
    this.window = window;
    if (offset > this.una) this.advance(offset, nowMs);
    else if (isRepeated) this.noteRepeated();
    if (this.una === this.next && !this.isBlocked()) this.deadlineMs = null;
  }

  private advance(offset: number, nowMs: number): void {
    const { una } = this;
    const acknowledged = offset - una;
    const dataFrom = Math.max(una, 1);
    const dataTo = Math.min(offset, this.end);
    this.una = offset;
    if (dataTo > dataFrom) this.queue.drop(dataTo - dataFrom);
    this.next = Math.max(this.next, offset);
    this.roundTrip.recover();
    if (this.timed !== null && offset >= this.timed.end) {
      this.roundTrip.measure(nowMs - this.timed.atMs);
      this.timed = null;
    }
    this.deadlineMs = nowMs + this.roundTrip.timeoutMs();
    this.repeated = 0;
    if (this.recoverTo === null) {
      this.grow(acknowledged);
    } else if (offset >= this.recoverTo) {
      this.recoverTo = null;
      this.congestion = this.threshold;
    } else {
      this.repairs = true;
      const shrunk = this.congestion - acknowledged + this.maxSegment;
      this.congestion = Math.max(this.maxSegment, shrunk);
    }
  }

  private grow(acknowledged: number): void {
    const step =
      this.congestion < this.threshold
        ? Math.min(acknowledged, this.maxSegment)
        : (this.maxSegment * this.maxSegment) / this.congestion;
    this.congestion += Math.max(1, Math.floor(step));
  }

  private noteRepeated(): void {
    this.repeated += 1;
    if (this.recoverTo !== null) {
      this.congestion += this.maxSegment;
    } else if (this.repeated === REPEATED_ACKS) {
      this.threshold = this.halfOfFlight();
      this.congestion = this.threshold + REPEATED_ACKS * this.maxSegment;
      this.recoverTo = this.next;
      this.repairs = true;
    }
  }

  private halfOfFlight(): number {
    return Math.max(Math.floor((this.next - this.una) / 2), 2 * this.maxSegment);
  }

  /** The timer has run out. */
  expire(nowMs: number): void {
    this.retries += 1;
    this.roundTrip.backOff();
    this.timed = null;
    this.deadlineMs = nowMs + this.roundTrip.timeoutMs();
    if (this.una > 0 && this.window === 0 && this.hasMore(this.una)) {
      this.probes = true;
      return;
    }
    if (this.una === this.next) return;
    this.threshold = this.halfOfFlight();
    this.startOver(this.maxSegment);
  }

  /** The peer has moved: what it may not have got is sent again at once. */
  kick(): void {
    this.roundTrip.recover();
    this.retries = 0;
    this.deadlineMs = null;
    this.timed = null;
    if (this.una > 0 && this.window === 0 && this.hasMore(this.una)) this.probes = true;
    this.startOver(FIRST_WINDOW_SEGMENTS * this.maxSegment);
  }

  private startOver(congestion: number): void {
    this.next = this.una;
    this.congestion = congestion;
    this.recoverTo = null;
    this.repeated = 0;
    this.repairs = false;
  }

  private hasMore(from: number): boolean {
    return from < this.end || (this.isFinishing && from === this.end);
  }

  /** Something waits, and the window does not let it go. */
  private isBlocked(): boolean {
    return this.una > 0 && this.next === this.una && this.hasMore(this.next);
  }

  /** What goes out now; the timer is set for it. */
  take(nowMs: number): Outgoing[] {
    const out: Outgoing[] = [];
    if (this.next === 0) out.push(this.synchronize(nowMs));
    if (this.una > 0) {
      if (this.repairs) out.push(this.cut(this.una, this.maxSegment));
      if (this.probes) out.push(this.probe());
      this.repairs = false;
      this.probes = false;
      this.fillWindow(out, nowMs);
    }
    const waits = this.next > this.una || this.isBlocked();
    if (waits) this.deadlineMs ??= nowMs + this.roundTrip.timeoutMs();
    return out;
  }

  private synchronize(nowMs: number): Outgoing {
    this.advanceNext(1, nowMs);
    return { offset: 0, syn: true, fin: false, payload: new Uint8Array(0) };
  }

  private fillWindow(out: Outgoing[], nowMs: number): void {
    while (this.hasMore(this.next)) {
      const usable = this.una + Math.min(this.window, this.congestion) - this.next;
      const left = this.end - this.next;
      const size = Math.min(this.maxSegment, left, Math.max(0, usable));
      const isLast = size === left;
      if (size === 0 && !isLast) return;
      // A small piece in front of more waits for room, unless nothing else is on its way.
      if (!isLast && size < this.maxSegment && this.next > this.una) return;
      const segment = this.cut(this.next, size);
      out.push(segment);
      this.advanceNext(this.next + size + (segment.fin ? 1 : 0), nowMs);
      if (isLast) return;
    }
  }

  /** Moves `next`; only what was never sent before is timed. */
  private advanceNext(end: number, nowMs: number): void {
    if (this.timed === null && this.next >= this.highest) this.timed = { end, atMs: nowMs };
    this.next = end;
    this.highest = Math.max(this.highest, end);
  }

  private probe(): Outgoing {
    const segment = this.cut(this.una, 1);
    this.next = Math.max(this.next, this.una + segment.payload.length + (segment.fin ? 1 : 0));
    this.highest = Math.max(this.highest, this.next);
    return segment;
  }

  /** Up to `maxBytes` from `offset`, with FIN where that reaches the end. */
  private cut(offset: number, maxBytes: number): Outgoing {
    const count = Math.min(maxBytes, this.end - offset);
    assert(count >= 0, `a segment at ${offset}, the stream ends at ${this.end}`);
    const payload = this.queue.read(offset - this.una, count);
    return { offset, syn: false, fin: this.isFinishing && offset + count === this.end, payload };
  }
}
