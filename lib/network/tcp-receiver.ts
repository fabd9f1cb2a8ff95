/**
 * The receiving half of a TCP connection: puts what arrives in order, and says how much more may
 * come.
 *
 * Offsets count from the peer's SYN at 0. Bytes handed out count as held until their owner says
 * that they are gone, so a slow owner closes the window and the peer waits.
 *
 * Invariant: next <= right; the right edge of the window never moves back.
 */

import { assert } from '../base/assert.js';

/** Pieces out of order that are kept; more are dropped, and come again. */
const MAX_PIECES = 256;

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export class TcpReceiver {
  /** The next byte wanted. */
  next = 1;
  private readonly capacity: number;
  private held = 0;
  private right: number;
  private advertised: number;
  private pieces: Piece[] = [];
  private finOffset: number | null = null;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.right = this.next + capacity;
    this.advertised = this.right;
  }

  /** Everything up to the peer's FIN has come. */
  get isDone(): boolean {
    return this.finOffset !== null && this.next === this.finOffset + 1;
  }

  /** Room from `next` on. */
  get window(): number {
    return this.right - this.next;
  }

  /** The room to advertise now. */
  advertise(): number {
    this.advertised = this.right;
    return this.window;
  }

  /** True if the peer was told of much less room than there is. */
  get hasNews(): boolean {
    const news = this.right - this.advertised;
    return news >= this.capacity / 2 || (news > 0 && this.advertised - this.next < 2 * 1460);
  }

  /** Takes a segment's data and gives what is in order now; `isOrderly` is false after a gap. */
  accept(
    offset: number,
    payload: Uint8Array,
    fin: boolean,
  ): { readonly bytes: readonly Uint8Array[]; readonly isOrderly: boolean } {
    const end = offset + payload.length;
    if (fin && this.finOffset === null && end <= this.right) this.finOffset = end;
    const from = Math.max(offset, this.next);
    const limit = Math.min(end, this.right);
    const fresh = limit > from ? payload.subarray(from - offset, limit - offset) : null;
    const isOrderly = offset <= this.next;
    if (fresh !== null && !isOrderly) {
      this.keep({ offset: from, bytes: fresh });
      return { bytes: [], isOrderly };
    }
    const bytes: Uint8Array[] = [];
    if (fresh !== null) this.take(fresh, bytes);
    this.takePieces(bytes);
    if (this.finOffset !== null && this.next === this.finOffset) {
      this.next += 1;
      this.right = Math.max(this.right, this.next);
    }
    return { bytes, isOrderly };
  }

  /** The owner has got rid of `count` bytes. */
  consumed(count: number): void {
    assert(count <= this.held, `${count} bytes consumed of ${this.held}`);
    this.held -= count;
    this.right = Math.max(this.right, this.next + this.capacity - this.held);
  }

  private take(bytes: Uint8Array, into: Uint8Array[]): void {
    // A copy: the frame that it came in belongs to others.
    into.push(new Uint8Array(bytes));
    this.next += bytes.length;
    this.held += bytes.length;
  }

  private keep(piece: Piece): void {
    if (this.pieces.length >= MAX_PIECES) return;
    const at = this.pieces.findIndex(({ offset }) => offset > piece.offset);
    const copy = { offset: piece.offset, bytes: new Uint8Array(piece.bytes) };
    this.pieces.splice(at < 0 ? this.pieces.length : at, 0, copy);
  }

  private takePieces(into: Uint8Array[]): void {
    for (let piece = this.pieces[0]; piece !== undefined; piece = this.pieces[0]) {
      if (piece.offset > this.next) return;
      this.pieces.shift();
      const known = this.next - piece.offset;
      if (known < piece.bytes.length) this.take(piece.bytes.subarray(known), into);
    }
  }
}
