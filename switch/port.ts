/**
 * One port of the switch: the connection of a node, or of a peer that sends frames alone.
 *
 *   opening --plug accepted--> node      opening --a length--> plain      refused: told, and closed
 *
 * Frames for a peer that does not read are dropped when too many wait, as a switch drops them.
 */

import type { Socket } from 'node:net';
import { DecodeError } from '../lib/base/bytes.js';
import { encodeVerdict, readOpening, type Plug, type Verdict } from '../lib/network/attachment.js';
import { FrameSplitter, withLength } from '../lib/network/frame-stream.js';

/** Bytes that may wait for a peer. */
const MAX_WAITING_BYTES = 1 << 20;
const OPENING_TIMEOUT_MS = 5_000;

export interface PortEvents {
  /** A node asks to be plugged in. */
  plug(plug: Plug): Verdict;
  /** A peer without a name sends frames. */
  plain(): void;
  frame(bytes: Uint8Array): void;
  /** The connection is over, and why, if that is worth telling. */
  over(reason: string | null): void;
}

export class Port {
  dropped = 0;
  private readonly socket: Socket;
  private readonly events: PortEvents;
  private readonly splitter = new FrameSplitter();
  private opening: Uint8Array | null = new Uint8Array(0);
  private isOver = false;

  constructor(socket: Socket, events: PortEvents) {
    this.socket = socket;
    this.events = events;
    socket.setNoDelay(true);
    socket.setTimeout(OPENING_TIMEOUT_MS, () => {
      // QEMU says nothing until its guest does.
      if (this.opening !== null && this.opening.length > 0) this.end('no complete opening came');
    });
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', (error) => this.end(error.message));
    socket.on('close', () => this.end(null));
  }

  /** False if it was dropped. */
  send(frame: Uint8Array): boolean {
    if (this.isOver) return false;
    if (this.socket.writableLength > MAX_WAITING_BYTES) {
      this.dropped += 1;
      return false;
    }
    this.socket.write(withLength(frame));
    return true;
  }

  /** Ends the connection; nothing that still comes counts. */
  close(): void {
    this.isOver = true;
    this.socket.destroy();
  }

  private end(reason: string | null): void {
    if (this.isOver) return;
    this.close();
    this.events.over(reason);
  }

  private take(bytes: Uint8Array): void {
    if (this.isOver) return;
    try {
      const rest = this.opening === null ? bytes : this.open(this.opening, bytes);
      if (rest === null) return;
      // The cores below know no Buffer, whose `slice` is no copy.
      const plain = new Uint8Array(rest.buffer, rest.byteOffset, rest.length);
      for (const frame of this.splitter.take(plain)) {
        if (this.isOver) return;
        this.events.frame(frame);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.end(error.message);
    }
  }

  /** What follows the opening; null if there is nothing yet. */
  private open(before: Uint8Array, bytes: Uint8Array): Uint8Array | null {
    const all = Buffer.concat([before, bytes]);
    const opening = readOpening(all);
    switch (opening.kind) {
      case 'incomplete':
        this.opening = all;
        return null;
      case 'frames':
        this.opening = null;
        this.events.plain();
        return all;
      case 'wrong-version':
        this.refuse({ verdict: 'wrong-version', epoch: 0n, offset: 0n });
        return null;
      case 'plug': {
        const verdict = this.events.plug(opening.plug);
        if (verdict.verdict !== 'accepted') {
          this.refuse(verdict);
          return null;
        }
        this.opening = null;
        this.socket.write(encodeVerdict(verdict));
        return all.subarray(opening.bytes);
      }
    }
  }

  private refuse(verdict: Verdict): void {
    this.isOver = true;
    this.socket.end(encodeVerdict(verdict));
    this.events.over(null);
  }
}
