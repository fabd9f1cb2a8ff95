/**
 * Drives a machine and writes down what a replica needs to do the same: the recording half of a
 * lock-step pair.
 *
 *   runSlice:  inputs, entropy, re-base, wake     logged, then applied, at the present point
 *              some thousand steps
 *              interrupts taken                   logged as checks, in step order
 *              output                             one mark per stream
 *              state, horizon                     now and then
 *
 * The session is pure: clock and random bytes are ports, and whoever drives it (a hart's worker,
 * the simulator) decides when to call. Nothing is applied that is not logged first, and nothing is
 * logged but at the point where the hart stands, so log order is the order of history.
 *
 * Invariant: every entry has the sequence number after the one before it; the steps of the
 * entries never go back; output handed out is covered by the mark whose `seq` it carries.
 */

import { assert } from '../base/assert.js';
import type {
  ControlEvent,
  InputEvent,
  LogEntry,
  LogEvent,
  OutputStream,
  Point,
} from '../event/event.js';
import { MAX_ENTROPY_BYTES } from '../event/limits.js';
import type { Machine, MachineStop } from '../machine/machine.js';
import { ClockControl } from './clock-control.js';
import { InputQueue, type ConsoleInput } from './input-queue.js';
import { OutputStreams } from './output-streams.js';
import type { RecordOptions, RecordPorts } from './record-options.js';
import { HORIZON_INTERVAL_NS } from './limits.js';
import type { SessionState } from './session-state.js';
import { SliceLength } from './slice-length.js';
import { historyOfRun } from './run-history.js';
import type {
  LoggedInput,
  Recorded,
  RecordedOutput,
  RecordedSnapshot,
  SliceStatus,
} from './recorded.js';
import { PageCopy, type CopyPart, type CopyStep } from './page-copy.js';
import { encodeSnapshot } from './snapshot.js';
import { StateCheck } from './state-check.js';

export class RecordSession {
  private readonly machine: Machine;
  private readonly ports: RecordPorts;
  private readonly options: RecordOptions;
  private readonly streams: OutputStreams;
  private readonly check: StateCheck;
  private readonly clock: ClockControl;
  private readonly queue = new InputQueue();
  private readonly controls: ControlEvent['action'][] = [];
  private seq: bigint;
  private epoch: bigint;
  private horizonStep: bigint;
  private horizonNs: bigint;
  private readonly sliceLength: SliceLength;
  /** Something was applied since the hart parked, so that it is to look around. */
  private stirred: boolean;
  private ended = false;
  private entries: LogEntry[] = [];
  private outputs: RecordedOutput[] = [];
  private inputs: LoggedInput[] = [];
  private pageCopy: PageCopy | null = null;

  constructor(options: RecordOptions) {
    const { machine, ports, state } = options;
    assert(options.epoch > state.epoch, `epoch ${options.epoch} after ${state.epoch}`);
    this.machine = machine;
    this.ports = ports;
    this.options = options;
    this.sliceLength = new SliceLength(machine.parallel !== null);
    this.streams = new OutputStreams(state.streams);
    this.check = new StateCheck(state);
    this.seq = state.seq;
    this.horizonStep = machine.steps();
    this.horizonNs = ports.monotonicNs();
    // The log that brought the hart here may end between an input and its wake.
    this.stirred = machine.isIdle();
    const { initialRate } = options;
    this.clock = new ClockControl({
      nowNs: this.horizonNs,
      ticks: machine.time(machine.here().hart),
      initialRate,
    });
    this.epoch = options.epoch;
    this.log({ kind: 'epoch', epoch: options.epoch });
    this.logMarks();
  }

  /** Last entry logged. */
  lastSeq(): bigint {
    return this.seq;
  }

  /** Logs an epoch: a newer one, or this one again, which begins its protection. */
  logEpoch(epoch: bigint): void {
    assert(epoch >= this.epoch, `epoch ${epoch} after ${this.epoch}`);
    this.epoch = epoch;
    this.log({ kind: 'epoch', epoch });
  }

  /** Queues console bytes; they enter at the next slice with room for them. */
  sendConsoleInput(input: ConsoleInput): void {
    this.queue.add(input);
  }

  /** Queues frames from the network; they enter as the guest has buffers, or are lost. */
  sendFrames(frames: readonly Uint8Array[]): void {
    this.queue.addFrames(frames);
  }

  /** Orders the machine off (or to reset) at the beginning of the next slice. */
  sendControl(action: 'power-off' | 'reset'): void {
    this.controls.push(action);
  }

  /** What was recorded since the last call, in order. */
  takeRecorded(): Recorded {
    const { entries, outputs, inputs } = this;
    this.entries = [];
    this.outputs = [];
    this.inputs = [];
    return { entries, outputs, inputs };
  }

  /** Applies what waits, then runs for a while. */
  runSlice(): SliceStatus {
    const stopped = this.machine.stopped();
    if (stopped !== null) return this.finish(stopped);
    this.applyControls();
    this.applyInputs();
    this.applyEntropy();
    const stop = this.machine.stopped();
    if (stop !== null) return this.finish(stop);
    if (this.machine.isIdle()) {
      const status = this.wakeIfDue();
      if (status !== null) return status;
    }
    const target = this.nextTarget();
    if (target === this.machine.steps()) return this.rest();
    this.applyRebase();
    return this.run(target);
  }

  /** Wakes a parked hart now, at virtual time `time`, whatever the clock says. */
  wake(time: bigint): void {
    this.stirred = false;
    this.record({ kind: 'wake', ...this.here(), time });
  }

  /** Lets a follower come up to the present point, as before a pause. */
  logHorizon(): void {
    const { machine } = this;
    const steps = machine.steps();
    if (steps === this.horizonStep) return;
    this.horizonStep = steps;
    this.horizonNs = this.ports.monotonicNs();
    const each = Array.from({ length: machine.hartCount }, (_, hart) => machine.step(hart));
    this.log({ kind: 'horizon', steps: each });
  }

  /** Logs a check with pages at the present point, and gives its hash over words and log. */
  checkPages(): bigint {
    return this.logCheck(true);
  }

  /** A copy of machine and session, with only those pages that a copy begun before still lacks. */
  snapshot(): RecordedSnapshot {
    const { pageCopy } = this;
    this.log({ kind: 'control', ...this.here(), action: 'snapshot' });
    this.logCheck(true);
    this.pageCopy = null;
    const bytes = encodeSnapshot(this.machine, this.state(), pageCopy?.finish());
    return { seq: this.seq, bytes };
  }

  /** A step of a copy while the machine runs on; `page-copy.ts` says in which order. */
  copyPages(step: CopyStep): CopyPart {
    if (step === 'begin' || step === 'round') this.logCheck(true);
    if (step === 'begin') this.pageCopy = new PageCopy(this.machine);
    if (step === 'abandon') this.pageCopy = null;
    return this.pageCopy?.take(step) ?? { bytes: new Uint8Array(0), pages: 0, left: 0 };
  }

  /** What another session needs to go on from here. */
  state(): SessionState {
    return {
      seq: this.seq,
      epoch: this.epoch,
      streams: this.streams.save(),
      ...this.check.save(),
    };
  }

  /** Virtual time of the hart in turn, in ticks. */
  private time(): bigint {
    return this.machine.time(this.here().hart);
  }

  private here(): Point {
    return this.machine.here();
  }

  private log(event: LogEvent): void {
    if (!this.options.log) return;
    this.seq += 1n;
    this.entries.push({ seq: this.seq, event });
    this.check.note(event);
  }

  private record(event: InputEvent): void {
    this.log(event);
    this.machine.apply(event);
  }

  private applyControls(): void {
    for (const action of this.controls.splice(0)) {
      this.record({ kind: 'control', ...this.here(), action });
      if (this.machine.stopped() !== null) return;
    }
  }

  private applyInputs(): void {
    for (;;) {
      const piece = this.queue.next(this.machine);
      if (piece === null) return;
      if (piece.kind === 'known') {
        const { client, sequence } = piece;
        this.inputs.push({ client, sequence, seq: this.seq });
        continue;
      }
      if (piece.kind === 'frame') {
        this.record({ kind: 'frame', ...this.here(), bytes: piece.bytes });
      } else {
        const { stream, client, sequence, bytes } = piece.input;
        this.record({ kind: 'console-input', ...this.here(), stream, client, sequence, bytes });
        this.inputs.push({ client, sequence, seq: this.seq });
      }
      this.stirred = true;
      this.sliceLength.shorten();
    }
  }

  private applyEntropy(): void {
    const wanted = Math.min(this.machine.entropyWanted(), MAX_ENTROPY_BYTES);
    if (wanted === 0) return;
    const bytes = this.ports.randomBytes(wanted);
    this.record({ kind: 'entropy', ...this.here(), bytes });
    this.stirred = true;
  }

  private applyRebase(): void {
    if (this.options.clock !== 'host') return;
    const rate = this.clock.chooseRate(this.ports.monotonicNs(), this.time());
    if (rate !== null) this.record({ kind: 'rebase', ...this.here(), rate });
  }

  /** Wakes the parked hart if there is a reason to; otherwise says what it waits for. */
  private wakeIfDue(): SliceStatus | null {
    if (this.machine.steps() === this.options.untilStep) return this.rest();
    const deadline = this.machine.deadline();
    const ticks = this.time();
    if (this.options.clock === 'steps') {
      if (deadline === null && !this.stirred) return { kind: 'parked', wakeInNs: null };
      const due = this.stirred || deadline === null ? ticks : deadline;
      this.wake(due > ticks ? due : ticks);
      return null;
    }
    const nowNs = this.ports.monotonicNs();
    const wakeInNs = deadline === null ? null : this.clock.untilNs(nowNs, deadline);
    if (!this.stirred && wakeInNs !== 0n) return { kind: 'parked', wakeInNs };
    this.wake(this.clock.wakeTicks(nowNs, ticks, deadline));
    return null;
  }

  private nextTarget(): bigint {
    const target = this.machine.steps() + this.sliceLength.next();
    const { untilStep } = this.options;
    return untilStep !== undefined && untilStep < target ? untilStep : target;
  }

  private run(target: bigint): SliceStatus {
    const startNs = this.ports.monotonicNs();
    const before = this.machine.steps();
    const result = this.machine.runFor(target - before);
    const endNs = this.ports.monotonicNs();
    const steps = this.machine.steps() - before;
    this.clock.noteSlice({ startNs, endNs, steps });
    this.sliceLength.note(endNs - startNs, steps);
    this.logRun();
    const spoke = this.takeOutput();
    if (result.reason === 'stopped') return this.finish(result.stop);
    this.logCheckIfDue(spoke);
    if (endNs - this.horizonNs >= HORIZON_INTERVAL_NS) this.logHorizon();
    if (!this.machine.isIdle()) return { kind: 'running' };
    this.clock.notePark();
    this.logHorizon();
    return this.statusWhenParked();
  }

  /** The hart has parked in this slice: what waits for it is looked at before anyone sleeps. */
  private statusWhenParked(): SliceStatus {
    this.applyInputs();
    this.applyEntropy();
    const status = this.wakeIfDue();
    return status ?? { kind: 'running' };
  }

  private rest(): SliceStatus {
    this.logEnd();
    return { kind: 'reached' };
  }

  private finish(stop: MachineStop): SliceStatus {
    this.logRun();
    this.takeOutput();
    this.logEnd();
    return { kind: 'stopped', stop };
  }

  /** The last thing in a log that ends in order is a check of everything. */
  private logEnd(): void {
    if (this.ended) return;
    this.ended = true;
    this.logCheck(true);
    this.logHorizon();
  }

  /** What happened while the machine ran. */
  private logRun(): void {
    const { machine } = this;
    const interrupts = machine.takeInterrupts();
    if (machine.parallel === null) {
      for (const interrupt of interrupts) this.log({ kind: 'interrupt', ...interrupt });
      return;
    }
    for (const event of historyOfRun(machine.parallel.takeSteals(), interrupts)) this.log(event);
    // Where parallel harts stand is a fact that everything else is told by.
    this.logHorizon();
  }

  /** Marks new output and hands it out with its mark; true if there was any. */
  private takeOutput(): boolean {
    const chunks = this.machine.takeOutput();
    if (chunks.length === 0) return false;
    for (const chunk of chunks) this.streams.add(chunk);
    const marks = this.logMarks();
    for (const { stream, offset, bytes } of chunks) {
      this.outputs.push({ seq: marks.get(stream) ?? 0n, stream, offset, bytes });
    }
    this.sliceLength.shorten();
    return true;
  }

  private logMarks(): Map<OutputStream, bigint> {
    const marks = new Map<OutputStream, bigint>();
    for (const account of this.streams.unmarked()) {
      const { stream, offset } = account;
      account.marked = offset;
      if (!this.options.log) continue;
      this.log({
        kind: 'output-mark',
        ...this.here(),
        stream,
        offset,
        digest: account.hash.digest(),
      });
      marks.set(stream, this.seq);
    }
    return marks;
  }

  private logCheckIfDue(spoke: boolean): void {
    const due = this.check.due(this.machine.steps(), spoke);
    if (due !== 'none') this.logCheck(due === 'pages');
  }

  private logCheck(pages: boolean): bigint {
    if (!this.options.log) return 0n;
    const here = this.here();
    const description = this.check.describe(this.machine, pages);
    this.log({ kind: 'state-hash', ...here, ...description });
    this.pageCopy?.note(description.pages ?? []);
    if (pages && this.machine.hasMoreDirtyPages()) return this.logCheck(true);
    return description.hash;
  }
}
