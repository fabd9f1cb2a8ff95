/**
 * What enters a machine from outside, what leaves it, and what both replicas compare: the log's
 * vocabulary.
 *
 * An event happens at a `Point`: hart `hart` has counted exactly `step` steps and has not begun
 * the next. A step is one retired instruction or one trap taken (exception or interrupt); WFI
 * retires, a wake counts nothing. Events at the same point are applied in log order.
 *
 * The log position of an event is its sequence number `seq`: 1 for the first, no gaps.
 */

/** Format version of the packed records and of everything replay depends on. */
export const LOG_FORMAT_VERSION = 4;

export interface Point {
  readonly hart: number;
  readonly step: bigint;
}

/**
 * Byte streams that leave the machine. Offsets count from 0 at power-on, per stream. `network` is
 * a stream of Ethernet frames, each after its length (lib/device/virtio/net.ts).
 */
export const OUTPUT_STREAMS = ['uart', 'virtio-console', 'power', 'network'] as const;
export type OutputStream = (typeof OUTPUT_STREAMS)[number];

/** Byte streams that enter the machine. */
export const INPUT_STREAMS = ['uart', 'virtio-console'] as const;
export type InputStream = (typeof INPUT_STREAMS)[number];

/** First entry of every epoch: whoever writes on holds this epoch from the arbiter. */
export interface EpochEvent {
  readonly kind: 'epoch';
  readonly epoch: bigint;
}

/** Bytes for a console. `client` and `sequence` make a resent input harmless; 0 is "no client". */
export interface ConsoleInputEvent extends Point {
  readonly kind: 'console-input';
  readonly stream: InputStream;
  readonly client: bigint;
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

/** Random bytes that the entropy device asked for. */
export interface EntropyEvent extends Point {
  readonly kind: 'entropy';
  readonly bytes: Uint8Array;
}

/** An Ethernet frame for the network card, without a frame check sequence. */
export interface FrameEvent extends Point {
  readonly kind: 'frame';
  readonly bytes: Uint8Array;
}

/** From this point on, virtual time advances by `rate` / 2^32 timebase ticks a step. */
export interface RebaseEvent extends Point {
  readonly kind: 'rebase';
  readonly rate: bigint;
}

/** A parked hart goes on; its virtual time is `time` ticks (never less than before). */
export interface WakeEvent extends Point {
  readonly kind: 'wake';
  readonly time: bigint;
}

/** An interrupt was taken here. Derived by replay; logged so that replay can check it. */
export interface InterruptEvent extends Point {
  readonly kind: 'interrupt';
  /** Exception code of xcause without the interrupt bit (privileged specification 3.1.15). */
  readonly cause: number;
}

/** Output up to `offset` (cumulative) exists; `digest` covers the stream from its start. */
export interface OutputMarkEvent extends Point {
  readonly kind: 'output-mark';
  readonly stream: OutputStream;
  readonly offset: bigint;
  readonly digest: bigint;
}

/**
 * The state at this point, for comparison. `words` holds the architectural words outside RAM that
 * changed since the last check (index in the layout table, value); `pages` the RAM pages written
 * since the last check that has pages, each with the hash of its bytes; `hash` covers all words and
 * every event of the log before this one.
 */
export interface StateHashEvent extends Point {
  readonly kind: 'state-hash';
  readonly hash: bigint;
  readonly words: readonly (readonly [index: number, value: bigint])[];
  readonly pages: readonly (readonly [page: number, hash: bigint])[] | null;
}

/** Every hart stands at exactly its step here; nothing else is to be applied before it. */
export interface HorizonEvent {
  readonly kind: 'horizon';
  readonly steps: readonly bigint[];
}

/** An order that is itself part of history. After `power-off` nothing follows. */
export interface ControlEvent extends Point {
  readonly kind: 'control';
  readonly action: 'power-off' | 'reset' | 'snapshot';
}

/**
 * A page of memory changed its owner (harts in parallel; lecture, "Possible Solution"): all harts
 * stood, the thief before the instruction of this point, the victims at theirs. Behind the pages of
 * RAM come two that stand for no memory: the devices, of which the thief accesses one now, and one
 * for nothing, where interrupts were passed on.
 */
export interface StealEvent extends Point {
  readonly kind: 'steal';
  readonly page: number;
  readonly mode: 'read' | 'write';
  /** In the middle of a device's work, so that time and interrupts stay as they are. */
  readonly byDevice: boolean;
  readonly victims: readonly Point[];
}

export type LogEvent =
  | EpochEvent
  | ConsoleInputEvent
  | EntropyEvent
  | FrameEvent
  | RebaseEvent
  | WakeEvent
  | InterruptEvent
  | OutputMarkEvent
  | StateHashEvent
  | HorizonEvent
  | ControlEvent
  | StealEvent;

export type EventKind = LogEvent['kind'];

/** Events that change the machine; the others only describe or check it. */
export type InputEvent =
  ConsoleInputEvent | EntropyEvent | FrameEvent | RebaseEvent | WakeEvent | ControlEvent;

/** One event in its place in the log. */
export interface LogEntry {
  readonly seq: bigint;
  readonly event: LogEvent;
}
