/**
 * The packed form of log events: what batches carry, on disk and between replicas.
 *
 * An event is a kind byte, then (but for `epoch` and `horizon`) its hart and the steps since that
 * hart's previous event in the batch, then the fields of its kind:
 *
 *   epoch          epoch
 *   console-input  P stream:u8 client sequence block
 *   entropy        P block
 *   rebase         P rate
 *   wake           P time
 *   interrupt      P cause
 *   output-mark    P stream:u8 offset digest:u64
 *   state-hash     P hash:u64 n (index-gap signed){n} 0 | 1 n (page-gap hash:u64){n}
 *   horizon        n steps-since{n}
 *   control        P action:u8
 *   steal          P page mode:u8 n (hart steps-since){n}; mode: 1 write, 2 by a device
 *   frame          P block
 *
 * P is `hart steps-since`; what has no type is a varint; `block` is a length and bytes; a gap is
 * the distance to the index before it, less one. Values of words are zigzag varints, since kernel
 * addresses and small negative numbers are short that way.
 *
 * Invariant: the steps of one hart never go back within a batch. The form cannot express it, the
 * writer asserts it, and a sum beyond 2^64 is refused. A batch begins afresh, so each can be read
 * by itself. Anything malformed is a `DecodeError`, never a wrong event and never another error.
 */

import { assert, unreachable } from '../base/assert.js';
import { ByteReader, ByteWriter, DecodeError } from '../base/bytes.js';
import {
  INPUT_STREAMS,
  OUTPUT_STREAMS,
  type ControlEvent,
  type EventKind,
  type LogEvent,
  type Point,
  type StateHashEvent,
  type StealEvent,
} from './event.js';
import {
  MAX_CONSOLE_INPUT_BYTES,
  MAX_ENTROPY_BYTES,
  MAX_FRAME_BYTES,
  MAX_HASHED_PAGES,
  MAX_LOG_HARTS,
  MAX_PAGES,
  MAX_STATE_WORDS,
  MAX_VARINT_BYTES,
} from './limits.js';

/** The kind byte is the index here. Never reordered: a change is a new format version. */
export const EVENT_KINDS: readonly EventKind[] = [
  'epoch',
  'console-input',
  'entropy',
  'rebase',
  'wake',
  'interrupt',
  'output-mark',
  'state-hash',
  'horizon',
  'control',
  'steal',
  'frame',
];
const CONTROL_ACTIONS: readonly ControlEvent['action'][] = ['power-off', 'reset', 'snapshot'];
const STEAL_MODES: readonly Pick<StealEvent, 'mode' | 'byDevice'>[] = [
  { mode: 'read', byDevice: false },
  { mode: 'write', byDevice: false },
  { mode: 'read', byDevice: true },
  { mode: 'write', byDevice: true },
];

const TWO_64 = 1n << 64n;
/** Exception codes of interrupts fit 6 bits (privileged specification, mcause). */
const MAX_CAUSE = 63;

/** The last step of each hart in the batch; shared rule of writer and reader. */
class HartSteps {
  private readonly steps: bigint[] = [];

  last(hart: number): bigint {
    return this.steps[hart] ?? 0n;
  }

  advance(hart: number, step: bigint): void {
    this.steps[hart] = step;
  }
}

/** Appends the events of one batch to `out`. */
export class EventWriter {
  private readonly out: ByteWriter;
  private readonly harts = new HartSteps();

  constructor(out: ByteWriter) {
    this.out = out;
  }

  write(event: LogEvent): void {
    const { out } = this;
    out.u8(EVENT_KINDS.indexOf(event.kind));
    switch (event.kind) {
      case 'epoch':
        return this.value(event.epoch);
      case 'horizon':
        return this.horizon(event.steps);
      case 'console-input':
        this.point(event);
        out.u8(INPUT_STREAMS.indexOf(event.stream));
        this.value(event.client);
        this.value(event.sequence);
        return this.block(event.bytes, MAX_CONSOLE_INPUT_BYTES);
      case 'entropy':
        this.point(event);
        return this.block(event.bytes, MAX_ENTROPY_BYTES);
      case 'frame':
        this.point(event);
        return this.block(event.bytes, MAX_FRAME_BYTES);
      case 'rebase':
        this.point(event);
        return this.value(event.rate);
      case 'wake':
        this.point(event);
        return this.value(event.time);
      case 'interrupt':
        this.point(event);
        return this.number(event.cause, MAX_CAUSE);
      case 'output-mark':
        this.point(event);
        out.u8(OUTPUT_STREAMS.indexOf(event.stream));
        this.value(event.offset);
        return out.u64(event.digest);
      case 'state-hash':
        this.point(event);
        return this.stateHash(event);
      case 'control':
        this.point(event);
        return out.u8(CONTROL_ACTIONS.indexOf(event.action));
      case 'steal':
        this.point(event);
        return this.steal(event);
      default:
        return unreachable(event);
    }
  }

  private point({ hart, step }: Point): void {
    this.number(hart, MAX_LOG_HARTS - 1);
    this.stepOf(hart, step);
  }

  private stepOf(hart: number, step: bigint): void {
    const last = this.harts.last(hart);
    assert(step >= last, `hart ${hart} goes back from step ${last} to ${step}`);
    this.value(step - last);
    this.harts.advance(hart, step);
  }

  private horizon(steps: readonly bigint[]): void {
    this.number(steps.length, MAX_LOG_HARTS);
    steps.forEach((step, hart) => this.stepOf(hart, step));
  }

  private stateHash(event: StateHashEvent): void {
    const { out } = this;
    out.u64(event.hash);
    this.number(event.words.length, MAX_STATE_WORDS);
    let next = 0;
    for (const [index, value] of event.words) {
      this.gap(index, next, MAX_STATE_WORDS);
      const signed = BigInt.asIntN(64, value);
      out.varint(BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n)));
      next = index + 1;
    }
    out.u8(event.pages === null ? 0 : 1);
    if (event.pages === null) return;
    this.number(event.pages.length, MAX_HASHED_PAGES);
    next = 0;
    for (const [page, hash] of event.pages) {
      this.gap(page, next, MAX_PAGES);
      out.u64(hash);
      next = page + 1;
    }
  }

  private steal(event: StealEvent): void {
    this.number(event.page, MAX_PAGES - 1);
    this.out.u8((event.mode === 'write' ? 1 : 0) + (event.byDevice ? 2 : 0));
    this.number(event.victims.length, MAX_LOG_HARTS);
    for (const victim of event.victims) this.point(victim);
  }

  private gap(index: number, next: number, limit: number): void {
    assert(index >= next && index < limit, `index ${index} is not in ${next}..${limit - 1}`);
    this.out.varint(index - next);
  }

  private value(value: bigint): void {
    assert(value >= 0n && value < TWO_64, `${value} is not an unsigned 64-bit value`);
    this.out.varint(value);
  }

  private number(value: number, max: number): void {
    assert(value >= 0 && value <= max, `${value} is over the limit ${max}`);
    this.out.varint(value);
  }

  private block(bytes: Uint8Array, maxBytes: number): void {
    assert(bytes.length <= maxBytes, `${bytes.length} bytes are over the limit ${maxBytes}`);
    this.out.block(bytes);
  }
}

/** Reads the events of one batch. Every method throws `DecodeError` on malformed input. */
export class EventReader {
  private readonly input: ByteReader;
  private readonly harts = new HartSteps();

  constructor(input: ByteReader) {
    this.input = input;
  }

  read(): LogEvent {
    const { input } = this;
    const kind = this.oneOf(EVENT_KINDS, 'event kind');
    if (kind === 'epoch') return { kind, epoch: input.varint() };
    if (kind === 'horizon') return { kind, steps: this.horizon() };
    const point = this.point();
    switch (kind) {
      case 'console-input':
        return {
          kind,
          ...point,
          stream: this.oneOf(INPUT_STREAMS, 'input stream'),
          client: input.varint(),
          sequence: input.varint(),
          bytes: input.block(MAX_CONSOLE_INPUT_BYTES, 'console input bytes'),
        };
      case 'entropy':
        return { kind, ...point, bytes: input.block(MAX_ENTROPY_BYTES, 'entropy bytes') };
      case 'frame':
        return { kind, ...point, bytes: input.block(MAX_FRAME_BYTES, 'frame bytes') };
      case 'rebase':
        return { kind, ...point, rate: input.varint() };
      case 'wake':
        return { kind, ...point, time: input.varint() };
      case 'interrupt':
        return { kind, ...point, cause: input.count(MAX_CAUSE, 'interrupt cause') };
      case 'output-mark': {
        const stream = this.oneOf(OUTPUT_STREAMS, 'output stream');
        return { kind, ...point, stream, offset: input.varint(), digest: input.u64() };
      }
      case 'state-hash':
        return this.stateHash(point);
      case 'control':
        return { kind, ...point, action: this.oneOf(CONTROL_ACTIONS, 'control action') };
      case 'steal':
        return this.steal(point);
      default:
        return unreachable(kind);
    }
  }

  private oneOf<T>(choices: readonly T[], what: string): T {
    const index = this.input.u8();
    const choice = choices[index];
    if (choice === undefined) throw new DecodeError(`unknown ${what} ${index}`);
    return choice;
  }

  private hart(): number {
    return this.input.count(MAX_LOG_HARTS - 1, 'hart');
  }

  private point(): Point {
    const hart = this.hart();
    return { hart, step: this.stepOf(hart) };
  }

  private stepOf(hart: number): bigint {
    const step = this.harts.last(hart) + this.input.varint();
    if (step >= TWO_64) throw new DecodeError(`hart ${hart} counts beyond 2^64 steps`);
    this.harts.advance(hart, step);
    return step;
  }

  private horizon(): bigint[] {
    const count = this.input.count(MAX_LOG_HARTS, 'horizon harts');
    return Array.from({ length: count }, (_, hart) => this.stepOf(hart));
  }

  private stateHash(point: Point): StateHashEvent {
    const { input } = this;
    const hash = input.u64();
    const words: [number, bigint][] = [];
    const wordCount = input.count(MAX_STATE_WORDS, 'words');
    for (let next = 0; words.length < wordCount;) {
      const index = this.gap(next, MAX_STATE_WORDS);
      const zigzag = input.varint();
      words.push([index, BigInt.asUintN(64, (zigzag >> 1n) ^ -(zigzag & 1n))]);
      next = index + 1;
    }
    const hasPages = this.oneOf([false, true], 'page flag');
    if (!hasPages) return { kind: 'state-hash', ...point, hash, words, pages: null };
    const pages: [number, bigint][] = [];
    const pageCount = input.count(MAX_HASHED_PAGES, 'pages');
    for (let next = 0; pages.length < pageCount;) {
      const page = this.gap(next, MAX_PAGES);
      pages.push([page, input.u64()]);
      next = page + 1;
    }
    return { kind: 'state-hash', ...point, hash, words, pages };
  }

  private steal(point: Point): StealEvent {
    const { input } = this;
    const page = input.count(MAX_PAGES - 1, 'page');
    const how = this.oneOf(STEAL_MODES, 'steal mode');
    const count = input.count(MAX_LOG_HARTS, 'victims');
    const victims: Point[] = [];
    while (victims.length < count) victims.push(this.point());
    return { kind: 'steal', ...point, page, ...how, victims };
  }

  private gap(next: number, limit: number): number {
    const index = next + this.input.count(limit - 1, 'index gap');
    if (index >= limit) throw new DecodeError(`index ${index} over the limit ${limit - 1}`);
    return index;
  }
}

/** At least the bytes that `event` takes in any batch; quick, to plan batches with. */
export function encodedBytesBound(event: LogEvent): number {
  // Kind, point and the fixed fields of any kind: six varints and two bytes at most.
  const fixed = 6 * MAX_VARINT_BYTES + 2;
  switch (event.kind) {
    case 'console-input':
    case 'entropy':
    case 'frame':
      return fixed + event.bytes.length;
    case 'state-hash':
      return fixed + event.words.length * (3 + MAX_VARINT_BYTES) + (event.pages?.length ?? 0) * 11;
    case 'horizon':
      return fixed + event.steps.length * MAX_VARINT_BYTES;
    case 'steal':
      return fixed + event.victims.length * 2 * MAX_VARINT_BYTES;
    default:
      return fixed;
  }
}

/** Exactly `count` events that fill `bytes` to the last byte. */
export function decodeEvents(bytes: Uint8Array, count: number): LogEvent[] {
  // An event has two bytes or more, so a lying count is found before the loop.
  if (count * 2 > bytes.length) {
    throw new DecodeError(`${count} events cannot fit ${bytes.length} bytes`);
  }
  const input = new ByteReader(bytes);
  const reader = new EventReader(input);
  const events: LogEvent[] = [];
  while (events.length < count) events.push(reader.read());
  if (input.remaining > 0) throw new DecodeError(`${input.remaining} bytes after the last event`);
  return events;
}

export function encodeEvents(events: Iterable<LogEvent>): Uint8Array {
  const out = new ByteWriter();
  const writer = new EventWriter(out);
  for (const event of events) writer.write(event);
  return out.finish();
}
