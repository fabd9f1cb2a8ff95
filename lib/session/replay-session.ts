/**
 * Drives a machine by a log: the following half of a lock-step pair, and every offline replay.
 *
 *   feed(entries)     what is known of the log so far
 *   advance(budget)   for each entry: run exactly to its point, apply it or compare with it
 *   promote()         everything known is replayed; recording may go on with the same machine
 *
 * The machine never runs beyond the last entry known, since the next one may come for the very
 * next step. Output is regenerated, compared with the marks, swallowed and kept.
 *
 * Everything the log says is checked: each interrupt at its step, each output mark's offset and
 * digest, each state hash; and what the log does not say must not happen: an interrupt, output
 * without a mark, a hart that parks or stops where the log has it running. What could change in
 * the log without any effect on the machine shows in the hash of the next check, which covers the
 * log too. The first difference is DIVERGED, and the session refuses to go on.
 *
 * Invariant: seq is the last entry applied; the hart stands at or before the next entry's point.
 */

import { assert, present, unreachable } from '../base/assert.js';
import { LockstepError } from '../base/error.js';
import {
  OUTPUT_STREAMS,
  type InputEvent,
  type InterruptEvent,
  type LogEntry,
  type OutputMarkEvent,
  type OutputStream,
  type StateHashEvent,
  type WakeEvent,
} from '../event/event.js';
import type { Machine, MachineStop, TakenInterrupt } from '../machine/machine.js';
import { diverged, hex, type Difference, type Differs } from './divergence.js';
import { ParallelReplay } from './parallel-replay.js';
import { OutputStreams } from './output-streams.js';
import { OutputTail, type TailBytes } from './output-tail.js';
import type { SessionState } from './session-state.js';
import { StateCheck } from './state-check.js';
import { TurnReplay } from './turn-replay.js';

export interface ReplayOptions {
  readonly machine: Machine;
  readonly state: SessionState;
}

export type ReplayStatus =
  /** The budget is used up; there is more to do. */
  | 'behind'
  /** Everything fed is applied. */
  | 'caught-up'
  /** Everything fed is applied and the guest has stopped the machine. */
  | 'stopped';

export class ReplaySession {
  private readonly machine: Machine;
  private readonly streams: OutputStreams;
  private readonly tails = new Map<OutputStream, OutputTail>();
  private readonly check: StateCheck;
  private queue: LogEntry[] = [];
  private head = 0;
  private seq: bigint;
  private fedSeq: bigint;
  private epoch: bigint;
  /** Taken by the machine, not yet met in the log. */
  private interrupts: TakenInterrupt[] = [];
  private failure: LockstepError | null = null;
  private readonly turns: TurnReplay;
  /** Null where harts take turns. */
  private readonly together: ParallelReplay | null;
  /** All output so far is to be marked before harts in parallel run on. */
  private isMarkDue = true;

  constructor(options: ReplayOptions) {
    const { machine, state } = options;
    this.machine = machine;
    this.streams = new OutputStreams(state.streams);
    for (const stream of OUTPUT_STREAMS) {
      this.tails.set(stream, new OutputTail(this.streams.account(stream).offset));
    }
    this.check = new StateCheck(state);
    this.seq = state.seq;
    this.fedSeq = state.seq;
    this.epoch = state.epoch;
    const differs: Differs = (...difference) => this.differs(...difference);
    this.turns = new TurnReplay(machine, differs, () => this.collect());
    const { parallel } = machine;
    this.together = parallel === null ? null : new ParallelReplay(machine, parallel, differs);
  }

  /** Last entry applied. */
  lastSeq(): bigint {
    return this.seq;
  }

  /** Epoch of the entries applied last; 0 before the first. */
  lastEpoch(): bigint {
    return this.epoch;
  }

  stopped(): MachineStop | null {
    return this.machine.stopped();
  }

  /** Adds entries to what is known; a gap in their numbers is BAD_LOG. */
  feed(entries: readonly LogEntry[]): void {
    for (const entry of entries) {
      if (entry.seq !== this.fedSeq + 1n) {
        throw new LockstepError('BAD_LOG', `entry ${entry.seq} follows entry ${this.fedSeq}`, {
          expected: this.fedSeq + 1n,
          actual: entry.seq,
        });
      }
      this.fedSeq = entry.seq;
      this.queue.push(entry);
    }
  }

  /**
   * Replays what is known, for at most `budgetSteps` steps. DIVERGED at the first difference, then
   * and on every later call; BAD_LOG for an entry that this machine can't have written.
   */
  advance(budgetSteps: bigint): ReplayStatus {
    if (this.failure !== null) throw this.failure;
    try {
      return this.replay(budgetSteps);
    } catch (error) {
      if (error instanceof LockstepError) this.failure = error;
      throw error;
    }
  }

  /** Output of `stream` before `offset` has left the primary. */
  release(stream: OutputStream, offset: bigint): void {
    this.tail(stream).release(offset);
  }

  /** Swallowed output from `offset` on, or from as far back as it is kept. */
  outputsFrom(stream: OutputStream, offset: bigint): TailBytes {
    return this.tail(stream).from(offset);
  }

  /**
   * What a recording session needs to go on with this machine. Everything fed must be applied.
   * GUEST_STOPPED if there is nothing to go on with.
   */
  promote(): SessionState {
    if (this.failure !== null) throw this.failure;
    assert(this.head === this.queue.length, `promotion before entry ${this.fedSeq} is applied`);
    if (this.machine.stopped() !== null) {
      throw new LockstepError('GUEST_STOPPED', 'the guest has stopped the machine');
    }
    this.collect();
    return {
      seq: this.seq,
      epoch: this.epoch,
      streams: this.streams.save(),
      ...this.check.save(),
    };
  }

  private tail(stream: OutputStream): OutputTail {
    return present(this.tails.get(stream), `tail of ${stream}`);
  }

  private replay(budgetSteps: bigint): ReplayStatus {
    const limit = this.machine.steps() + budgetSteps;
    for (;;) {
      const entry = this.queue[this.head];
      if (entry === undefined) break;
      if (!this.reach(entry, limit)) return 'behind';
      this.perform(entry);
      this.check.note(entry.event);
      this.seq = entry.seq;
      this.head += 1;
    }
    this.queue = [];
    this.head = 0;
    return this.machine.stopped() === null ? 'caught-up' : 'stopped';
  }

  /** Runs to the point of an entry, or until `limit` steps are counted and returns false. */
  private reach(entry: LogEntry, limit: bigint): boolean {
    const { event } = entry;
    if (event.kind === 'epoch') return true;
    if (this.together !== null) return this.reachTogether(entry, this.together);
    const isThere = this.turns.reach(entry, limit);
    if (isThere && event.kind !== 'interrupt') this.requireNoInterrupt(entry);
    return isThere;
  }

  private reachTogether(entry: LogEntry, together: ParallelReplay): boolean {
    const isRun = entry.event.kind === 'horizon' || entry.event.kind === 'steal';
    if (isRun && this.isMarkDue) this.requireMarked(entry);
    if (!together.reach(entry)) return true;
    this.collect();
    together.meetInterrupts(entry, this.interrupts.splice(0));
    // What was said until a horizon is marked behind it.
    this.isMarkDue = entry.event.kind === 'horizon';
    return true;
  }

  /** Takes what the machine produced: interrupts to be met in the log, output to be marked. */
  private collect(): void {
    this.interrupts.push(...this.machine.takeInterrupts());
    for (const chunk of this.machine.takeOutput()) {
      this.streams.add(chunk);
      this.tail(chunk.stream).add(chunk.bytes);
    }
  }

  private perform(entry: LogEntry): void {
    const { event } = entry;
    switch (event.kind) {
      case 'epoch':
        this.beginEpoch(event.epoch);
        return;
      case 'console-input':
      case 'entropy':
      case 'frame':
      case 'rebase':
      case 'control':
        this.requireMarked(entry);
        this.apply(entry, event);
        return;
      case 'wake':
        this.requireMarked(entry);
        this.wake(entry, event);
        return;
      case 'interrupt':
        if (this.together === null) this.meetInterrupt(entry, event);
        return;
      case 'output-mark':
        this.meetMark(entry, event);
        return;
      case 'state-hash':
        this.requireMarked(entry);
        this.meetState(entry, event);
        return;
      case 'horizon':
        if (this.together === null) this.requireMarked(entry);
        return;
      case 'steal':
        if (this.together !== null) return;
        throw new LockstepError('BAD_LOG', `entry ${entry.seq} is a steal, with harts by turns`);
      default:
        unreachable(event);
    }
  }

  /** A second entry of the same epoch begins its protection. */
  private beginEpoch(epoch: bigint): void {
    if (epoch < this.epoch || epoch === 0n) {
      throw new LockstepError('BAD_LOG', `epoch ${epoch} after epoch ${this.epoch}`);
    }
    this.epoch = epoch;
  }

  private apply(entry: LogEntry, event: Exclude<InputEvent, WakeEvent>): void {
    if (event.kind === 'console-input') {
      const space = this.machine.inputSpace(event.stream);
      const { length } = event.bytes;
      if (length > space) throw this.differs(entry, 'room for input', `${length}`, `${space}`);
    } else if (event.kind === 'entropy') {
      const wanted = this.machine.entropyWanted();
      const { length } = event.bytes;
      if (length > wanted) throw this.differs(entry, 'entropy wanted', `${length}`, `${wanted}`);
    } else if (event.kind === 'frame') {
      const room = this.machine.frameRoom();
      if (room !== 'room') throw this.differs(entry, 'room for a frame', 'room', room);
    } else if (event.kind === 'control' && event.action === 'snapshot') {
      return;
    }
    this.machine.apply(event);
    this.collect();
  }

  private wake(entry: LogEntry, event: WakeEvent): void {
    if (!this.machine.isIdle()) throw this.differs(entry, 'hart', 'parked', 'running');
    const time = this.machine.time(event.hart);
    if (event.time < time) {
      throw this.differs(entry, 'time', `at most ${event.time}`, `${time}`);
    }
    this.machine.apply(event);
  }

  /** The interrupt is taken at its step: before the point, or by the very next step. */
  private meetInterrupt(entry: LogEntry, event: InterruptEvent): void {
    if (this.interrupts.length === 0 && !this.machine.isIdle()) {
      this.turns.runOn(entry);
    }
    const taken = this.interrupts.shift();
    const expected = `cause ${event.cause} at step ${event.step}`;
    if (taken === undefined) throw this.differs(entry, 'interrupt', expected, 'not taken');
    const isSame = taken.hart === event.hart && taken.step === event.step;
    if (!isSame || taken.cause !== event.cause) {
      const actual = `cause ${taken.cause} at step ${taken.step}`;
      throw this.differs(entry, 'interrupt', expected, actual);
    }
  }

  private requireNoInterrupt(entry: LogEntry): void {
    const taken = this.interrupts[0];
    if (taken === undefined) return;
    const actual = `cause ${taken.cause} at step ${taken.step}`;
    throw this.differs(entry, 'interrupt', 'none', actual);
  }

  private meetMark(entry: LogEntry, event: OutputMarkEvent): void {
    const account = this.streams.account(event.stream);
    const what = `output of ${event.stream}`;
    if (account.offset !== event.offset) {
      throw this.differs(entry, what, `${event.offset} bytes`, `${account.offset} bytes`);
    }
    const digest = account.hash.digest();
    if (digest !== event.digest) {
      const expected = `digest ${hex(event.digest)}`;
      throw this.differs(entry, what, expected, `digest ${hex(digest)}`);
    }
    account.marked = event.offset;
  }

  /** Record marks all output of a slice before it logs anything else at the slice's end. */
  private requireMarked(entry: LogEntry): void {
    const [account] = this.streams.unmarked();
    if (account === undefined) return;
    const { stream, marked, offset } = account;
    throw this.differs(entry, `output of ${stream}`, `${marked} bytes`, `${offset} bytes`);
  }

  private meetState(entry: LogEntry, event: StateHashEvent): void {
    const difference = this.check.compare(this.machine, event);
    if (difference !== null) {
      throw this.differs(entry, difference.what, difference.expected, difference.actual);
    }
  }

  private differs(
    entry: LogEntry,
    what: Difference['what'],
    expected: string,
    actual: string,
  ): LockstepError {
    const here = this.machine.here();
    return diverged({ seq: entry.seq, ...here, what, expected, actual });
  }
}
