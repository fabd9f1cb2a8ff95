/**
 * Input on its way into a machine: console bytes in order for each stream, taken as far as the
 * machine has room, each client's byte exactly once; and frames from the network.
 *
 * A client numbers its bytes: `sequence` is how many it has sent in all, up to the end of the
 * chunk. The machine remembers the highest number it has taken from each client, in replicated
 * state, so whatever a client sends again after a failover, whole or in other pieces, is cut to
 * what the machine does not have. A chunk may therefore enter in pieces too.
 *
 * Frames wait here while the guest has no buffer for them, outside the machine and the log. As on
 * any network, one may be lost: those that come while too many wait, and all of them while no
 * driver listens.
 */

import { INPUT_STREAMS, type InputStream } from '../event/event.js';
import { MAX_CONSOLE_INPUT_BYTES } from '../event/limits.js';
import type { Machine } from '../machine/machine.js';

export interface ConsoleInput {
  readonly stream: InputStream;
  /** 0 is "no client": never deduplicated. */
  readonly client: bigint;
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

/** What became of a piece of input. */
export type InputPiece =
  /** To be logged and applied now; the rest stays queued. */
  | { readonly kind: 'enter'; readonly input: ConsoleInput }
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  /** The machine has these bytes already. */
  | { readonly kind: 'known'; readonly client: bigint; readonly sequence: bigint };

/** As many as a guest's ring of buffers holds, twice. */
export const FRAMES_WAITING_MAX = 256;

export class InputQueue {
  private frames: Uint8Array[] = [];
  private readonly queues = new Map<InputStream, ConsoleInput[]>();

  constructor() {
    for (const stream of INPUT_STREAMS) this.queues.set(stream, []);
  }

  add(input: ConsoleInput): void {
    this.queues.get(input.stream)?.push(input);
  }

  /** Frames of a network; each is `MIN_FRAME_BYTES` to `MAX_FRAME_BYTES` long. */
  addFrames(frames: readonly Uint8Array[]): void {
    const room = FRAMES_WAITING_MAX - this.frames.length;
    this.frames.push(...frames.slice(0, room));
  }

  /** The next piece that `machine` can take as it stands, or null if there is none. */
  next(machine: Machine): InputPiece | null {
    for (const [stream, queue] of this.queues) {
      const input = queue[0];
      if (input === undefined) continue;
      const fresh = withoutKnown(input, machine);
      if (fresh.bytes.length === 0) {
        queue.shift();
        return { kind: 'known', client: input.client, sequence: input.sequence };
      }
      const room = Math.min(machine.inputSpace(stream), MAX_CONSOLE_INPUT_BYTES);
      if (room <= 0) continue;
      const taken = fresh.bytes.subarray(0, room);
      const left = fresh.bytes.length - taken.length;
      if (left === 0) queue.shift();
      else queue[0] = { ...fresh, bytes: fresh.bytes.subarray(room) };
      const sequence = fresh.client === 0n ? fresh.sequence : fresh.sequence - BigInt(left);
      return { kind: 'enter', input: { ...fresh, sequence, bytes: taken.slice() } };
    }
    return this.nextFrame(machine);
  }

  private nextFrame(machine: Machine): InputPiece | null {
    if (this.frames.length === 0) return null;
    const room = machine.frameRoom();
    if (room === 'off') this.frames = [];
    const bytes = room === 'room' ? this.frames.shift() : undefined;
    return bytes === undefined ? null : { kind: 'frame', bytes };
  }
}

/** `input` without the bytes that the machine has taken from this client before. */
function withoutKnown(input: ConsoleInput, machine: Machine): ConsoleInput {
  if (input.client === 0n) return input;
  const known = machine.lastInputSequence(input.client);
  const start = input.sequence - BigInt(input.bytes.length);
  if (known <= start) return input;
  const skip = known < input.sequence ? Number(known - start) : input.bytes.length;
  return { ...input, bytes: input.bytes.subarray(skip) };
}
