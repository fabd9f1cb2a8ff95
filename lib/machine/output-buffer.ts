/**
 * Output on its way out of the machine. Small pieces of one stream are joined, as those of a UART
 * that sends byte by byte.
 */

import type { OutputChunk } from './machine.js';

/** Output waiting inside the machine above which `runUntil` returns 'output'. */
const HIGH_WATER_BYTES = 16_384;
const JOINED_BYTES = 256;

export class OutputBuffer {
  private chunks: OutputChunk[] = [];
  private waitingBytes = 0;

  get isFull(): boolean {
    return this.waitingBytes >= HIGH_WATER_BYTES;
  }

  /** Takes a piece that follows what its stream has given before. */
  add(chunk: OutputChunk): void {
    const { stream, bytes } = chunk;
    if (bytes.length === 0) return;
    this.waitingBytes += bytes.length;
    const last = this.chunks[this.chunks.length - 1];
    if (last?.stream !== stream || last.bytes.length >= JOINED_BYTES) {
      this.chunks.push(chunk);
      return;
    }
    const joined = new Uint8Array(last.bytes.length + bytes.length);
    joined.set(last.bytes);
    joined.set(bytes, last.bytes.length);
    this.chunks[this.chunks.length - 1] = { ...last, bytes: joined };
  }

  /** Everything that waits, in order. */
  take(): readonly OutputChunk[] {
    const taken = this.chunks;
    this.chunks = [];
    this.waitingBytes = 0;
    return taken;
  }
}
