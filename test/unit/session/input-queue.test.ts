/**
 * Goal: each byte of a client enters once and in order, however it is cut, repeated or delayed.
 * Method: a machine reduced to its input buffer; random cuts and repeats from a seed.
 */

import test from 'ava';
import type { FrameRoom } from '../../../lib/machine/machine.js';
import {
  FRAMES_WAITING_MAX,
  InputQueue,
  type ConsoleInput,
} from '../../../lib/session/input-queue.js';
import { ToyMachine, TOY_CONFIG, TOY_IMAGES, ascii } from '../../support/toy-machine.js';

class Sink extends ToyMachine {
  readonly received: number[] = [];
  space = 1000;
  readonly frames: number[] = [];
  /** Null for a machine whose network nobody listens to. */
  buffers: number | null = 0;
  private readonly known = new Map<bigint, bigint>();

  constructor() {
    super(TOY_CONFIG, TOY_IMAGES);
  }

  override inputSpace(): number {
    return this.space;
  }

  override frameRoom(): FrameRoom {
    if (this.buffers === null) return 'off';
    return this.buffers > 0 ? 'room' : 'full';
  }

  override lastInputSequence(client: bigint): bigint {
    return this.known.get(client) ?? 0n;
  }

  /** Applies everything that can enter now; gives what was known already. */
  drain(queue: InputQueue): bigint[] {
    const known: bigint[] = [];
    for (let piece = queue.next(this); piece !== null; piece = queue.next(this)) {
      if (piece.kind === 'known') {
        known.push(piece.sequence);
        continue;
      }
      if (piece.kind === 'frame') {
        this.frames.push(piece.bytes[0] ?? -1);
        this.buffers = (this.buffers ?? 0) - 1;
        continue;
      }
      const { client, sequence, bytes } = piece.input;
      this.received.push(...bytes);
      this.space -= bytes.length;
      if (client !== 0n) this.known.set(client, sequence);
    }
    return known;
  }

  text(): string {
    return String.fromCharCode(...this.received);
  }
}

function input(text: string, end: number, client = 3n): ConsoleInput {
  return { stream: 'uart', client, sequence: BigInt(end), bytes: ascii(text) };
}

test('a chunk that is repeated is known', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  queue.add(input('abc', 3));
  queue.add(input('abc', 3));
  t.deepEqual(sink.drain(queue), [3n]);
  t.is(sink.text(), 'abc');
});

test('a chunk that overlaps gives only what is new', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  queue.add(input('abc', 3));
  queue.add(input('bcde', 5));
  sink.drain(queue);
  t.is(sink.text(), 'abcde');
});

test('input waits for room, in pieces, and keeps its numbers', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  sink.space = 2;
  queue.add(input('abcde', 5));
  sink.drain(queue);
  t.is(sink.text(), 'ab');
  t.is(sink.lastInputSequence(3n), 2n);
  sink.space = 9;
  sink.drain(queue);
  t.is(sink.text(), 'abcde');
  t.is(sink.lastInputSequence(3n), 5n);
});

test('two clients do not disturb each other, and no client is never deduplicated', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  queue.add(input('abc', 3, 1n));
  queue.add(input('xyz', 3, 2n));
  queue.add(input('..', 0, 0n));
  queue.add(input('..', 0, 0n));
  sink.drain(queue);
  t.is(sink.text(), 'abcxyz....');
});

test('whatever is cut and repeated, every byte enters once (random)', (t) => {
  const whole = Array.from({ length: 300 }, (_, index) => 33 + (index % 90));
  const text = String.fromCharCode(...whole);
  for (let seed = 1; seed <= 50; seed++) {
    let state = seed;
    const random = (limit: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >>> 8) % limit;
    };
    const queue = new InputQueue();
    const sink = new Sink();
    let sent = 0;
    while (sink.received.length < whole.length) {
      // A client goes back to any byte that it sent, never forward over one that it did not.
      const from = random(4) === 0 ? random(sent + 1) : sent;
      const to = Math.min(whole.length, from + 1 + random(40));
      queue.add(input(text.slice(from, to), to));
      sent = Math.max(sent, to);
      sink.space = random(30);
      sink.drain(queue);
    }
    t.is(sink.text(), text, `seed ${seed}`);
  }
});

test('frames wait for buffers in order, at most so many', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  queue.addFrames(Array.from({ length: FRAMES_WAITING_MAX + 9 }, (_, n) => Uint8Array.of(n)));
  sink.drain(queue);
  t.deepEqual(sink.frames, []);
  sink.buffers = 3;
  sink.drain(queue);
  t.deepEqual(sink.frames, [0, 1, 2]);
  sink.buffers = 1000;
  sink.drain(queue);
  t.is(sink.frames.length, FRAMES_WAITING_MAX);
});

test('frames that nobody listens for are lost, and console input is not', (t) => {
  const queue = new InputQueue();
  const sink = new Sink();
  sink.buffers = null;
  queue.addFrames([Uint8Array.of(1)]);
  queue.add(input('abc', 3));
  sink.drain(queue);
  t.is(sink.text(), 'abc');
  sink.buffers = 5;
  sink.drain(queue);
  t.deepEqual(sink.frames, []);
});
