/**
 * Streams between processes: ordered like TCP, with a delay, and with faults at any moment.
 *
 * A link that is down in one direction holds what is sent into it, and delivers it in order when
 * it comes up again (as retransmission does). A broken stream loses what was under way; the batch
 * in front may arrive torn. A killed process's streams close after what it had already sent. Who
 * is cut off is told nothing.
 */

import { present } from '../base/assert.js';
import type { CloseReason } from '../protocol/primary-contract.js';
import type { Agenda } from './agenda.js';
import type { Message } from './entry.js';
import { ENTRY_BYTES } from './entry.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

export interface StreamEnd {
  received(message: Message): void;
  closed(reason: CloseReason | null): void;
  /** The buffer towards the peer is full, or empty again. */
  blocked(isBlocked: boolean): void;
}

/** Bytes under way in one direction above which the sender is told to wait. */
const WINDOW_BYTES = 4096;

interface Parcel {
  readonly atMs: number;
  readonly message: Message;
}

/** One direction of a stream. */
class Pipe {
  readonly parcels: Parcel[] = [];
  bytes = 0;
  isBlocked = false;
  isPumping = false;
  lastAtMs = 0;
}

/** State of one direction between two nodes. */
interface Link {
  isUp: boolean;
  /** World time at which it last came up. */
  upSinceMs: number;
  /** Entries are lost or doubled in it, which a correct transport never does. */
  corruption: 'none' | 'lose' | 'double';
}

export class Stream {
  readonly processes: readonly [Process, Process];
  readonly ends: [StreamEnd | null, StreamEnd | null] = [null, null];
  readonly pipes = [new Pipe(), new Pipe()] as const;
  readonly isOpen: [boolean, boolean] = [true, true];

  constructor(dialer: Process, listener: Process) {
    this.processes = [dialer, listener];
  }
}

export class Network {
  private readonly agenda: Agenda;
  private readonly random: Random;
  private readonly delayMs: readonly [number, number];
  private readonly links: Link[];
  private readonly nodes: number;
  private streams: Stream[] = [];

  constructor(
    agenda: Agenda,
    random: Random,
    shape: { readonly nodes: number; readonly delayMs: readonly [number, number] },
  ) {
    this.agenda = agenda;
    this.random = random;
    this.nodes = shape.nodes;
    this.delayMs = shape.delayMs;
    this.links = Array.from({ length: shape.nodes * shape.nodes }, () => ({
      isUp: true,
      upSinceMs: 0,
      corruption: 'none',
    }));
  }

  link(from: number, to: number): Link {
    return present(this.links[from * this.nodes + to], `link ${from} to ${to}`);
  }

  /** Opens a stream after a round trip; `answer` is told whether somebody listens. */
  dial(dialer: Process, listener: Process | null, answer: (stream: Stream | null) => void): void {
    const to = listener?.node ?? dialer.node;
    // A SYN into a dead link is not answered at all.
    if (!this.link(dialer.node, to).isUp || !this.link(to, dialer.node).isUp) return;
    const roundTripMs = this.random.span(this.delayMs[0], this.delayMs[1]) * 2;
    dialer.after(roundTripMs, () => {
      if (listener === null || !listener.isAlive) return answer(null);
      const stream = new Stream(dialer, listener);
      this.streams.push(stream);
      answer(stream);
    });
  }

  send(stream: Stream, from: 0 | 1, message: Message): void {
    if (!stream.isOpen[from]) return;
    const pipe = stream.pipes[from];
    const link = this.link(
      stream.processes[from].node,
      stream.processes[1 - from === 0 ? 0 : 1].node,
    );
    if (message.kind === 'batch' && link.corruption !== 'none') {
      const { corruption } = link;
      link.corruption = 'none';
      if (corruption === 'lose') return;
      this.push(pipe, message);
    }
    this.push(pipe, message);
    if (!pipe.isBlocked && pipe.bytes > WINDOW_BYTES) {
      pipe.isBlocked = true;
      stream.ends[from]?.blocked(true);
    }
    this.pump(stream, from);
  }

  /** This end says why and closes; what it sent before still arrives. */
  close(stream: Stream, from: 0 | 1, reason: CloseReason | null): void {
    this.send(stream, from, { kind: 'close', reason });
    stream.isOpen[from] = false;
  }

  /** Breaks the streams between two nodes at once; what was under way is lost. */
  reset(one: number, other: number): void {
    for (const stream of this.streams) {
      const nodes = stream.processes.map((process) => process.node);
      if (!nodes.includes(one) || !nodes.includes(other)) continue;
      this.tear(stream, 0);
      this.tear(stream, 1);
      for (const end of [0, 1] as const) this.endClosed(stream, end, null);
    }
    this.forgetClosed();
  }

  /** The kernel closes a dead process's streams. */
  processEnded(process: Process): void {
    for (const stream of this.streams) {
      for (const end of [0, 1] as const) {
        if (stream.processes[end] !== process) continue;
        if (this.random.chance(0.5)) {
          this.tear(stream, end);
          // The end of the stream may have been among what was torn.
          stream.isOpen[end] = true;
        }
        if (stream.isOpen[end]) this.close(stream, end, null);
      }
    }
    this.forgetClosed();
  }

  setLink(from: number, to: number, isUp: boolean): void {
    const link = this.link(from, to);
    if (link.isUp === isUp) return;
    link.isUp = isUp;
    link.upSinceMs = this.agenda.nowMs;
    if (!isUp) return;
    for (const stream of this.streams) {
      for (const end of [0, 1] as const) {
        const peer = end === 0 ? 1 : 0;
        if (stream.processes[end].node === from && stream.processes[peer].node === to) {
          this.pump(stream, end);
        }
      }
    }
  }

  private push(pipe: Pipe, message: Message): void {
    const delayMs = this.random.span(this.delayMs[0], this.delayMs[1]);
    const atMs = Math.max(pipe.lastAtMs, this.agenda.nowMs + delayMs);
    pipe.lastAtMs = atMs;
    pipe.parcels.push({ atMs, message });
    pipe.bytes += sizeOf(message);
  }

  private pump(stream: Stream, from: 0 | 1): void {
    const pipe = stream.pipes[from];
    const first = pipe.parcels[0];
    if (first === undefined || pipe.isPumping) return;
    const to = from === 0 ? 1 : 0;
    if (!this.link(stream.processes[from].node, stream.processes[to].node).isUp) return;
    pipe.isPumping = true;
    this.agenda.at(Math.max(first.atMs, this.agenda.nowMs), () => {
      pipe.isPumping = false;
      if (!this.link(stream.processes[from].node, stream.processes[to].node).isUp) return;
      const parcel = pipe.parcels.shift();
      if (parcel === undefined) return;
      pipe.bytes -= sizeOf(parcel.message);
      this.deliver(stream, to, parcel.message);
      if (pipe.isBlocked && pipe.parcels.length === 0) {
        pipe.isBlocked = false;
        stream.processes[from].act(() => stream.ends[from]?.blocked(false));
      }
      this.pump(stream, from);
    });
  }

  private deliver(stream: Stream, to: 0 | 1, message: Message): void {
    if (message.kind === 'close') {
      this.endClosed(stream, to, message.reason);
      this.forgetClosed();
      return;
    }
    stream.processes[to].act(() => {
      if (stream.isOpen[to]) stream.ends[to]?.received(message);
    });
  }

  private endClosed(stream: Stream, end: 0 | 1, reason: CloseReason | null): void {
    stream.processes[end].act(() => {
      if (!stream.isOpen[end]) return;
      stream.isOpen[end] = false;
      stream.ends[end]?.closed(reason);
    });
  }

  /** Loses what is under way from one end; the batch in front may arrive as a piece. */
  private tear(stream: Stream, from: 0 | 1): void {
    const pipe = stream.pipes[from];
    const lost = pipe.parcels.splice(0);
    pipe.bytes = 0;
    const first = lost.find((parcel) => parcel.message.kind === 'batch')?.message;
    if (first?.kind !== 'batch' || !stream.isOpen[from === 0 ? 1 : 0]) return;
    const whole = first.entries.length;
    const entries = first.entries.slice(0, this.random.between(0, whole));
    const last = entries.pop();
    // The entry in which the stream broke is half there.
    if (last !== undefined) entries.push({ ...last, value: last.value + 1 });
    this.deliver(stream, from === 0 ? 1 : 0, { ...first, entries, intact: false });
  }

  private forgetClosed(): void {
    this.streams = this.streams.filter(
      (stream) =>
        stream.isOpen[0] ||
        stream.isOpen[1] ||
        stream.pipes.some((pipe) => pipe.parcels.length > 0),
    );
  }
}

function sizeOf(message: Message): number {
  return message.kind === 'batch' ? message.entries.length * ENTRY_BYTES : ENTRY_BYTES;
}
