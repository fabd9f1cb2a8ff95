/**
 * The life of a hart's worker: takes orders, runs slices, reports, waits.
 *
 * The loop never returns to the event loop of its thread, so nothing else can happen there. It
 * sleeps in one place only, on the bell that every order and every flag rings; while the listener
 * is behind it sleeps on the count of unconsumed bytes instead, and looks at its mail in between.
 *
 *      record: run a slice, report it, sleep if the hart is parked
 *      replay: advance, sleep if caught up      -- promote --> record
 *      resting: reached, stopped or diverged; orders are still answered
 */

import { performance } from 'node:perf_hooks';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { assert, unreachable } from '../base/assert.js';
import { LockstepError } from '../base/error.js';
import type { Machine, MachineStop } from '../machine/machine.js';
import { RecordSession } from '../session/record-session.js';
import { ReplaySession } from '../session/replay-session.js';
import { freshState, type SessionState } from '../session/session-state.js';
import { restoreSnapshot, snapshotParts } from '../session/snapshot.js';
import { hashWholeState } from '../session/state-check.js';
import {
  CONTROL,
  handedOver,
  packError,
  viewControl,
  type Answer,
  type ControlBlock,
  type Order,
  type Report,
  type WorkerStart,
} from './hart-messages.js';
import { HOST_PORTS } from './host-ports.js';
import { inspectMachine, readRam, stepsOf, tailsOf } from './inspection.js';
import { writeStartSnapshot } from './log-store/start-snapshot.js';
import { ProgressReporter } from './progress-reporter.js';
import { SliceReports } from './slice-reports.js';
import { ThrottleDebt } from './throttle-debt.js';

/** A replay looks at its mail after as many steps: a few milliseconds. */
const REPLAY_BUDGET_STEPS = 200_000n;

type Session =
  | { readonly kind: 'record'; readonly record: RecordSession }
  | { readonly kind: 'replay'; readonly replay: ReplaySession };

export class HartLoop {
  private readonly start: WorkerStart;
  private readonly machine: Machine;
  private readonly port: MessagePort;
  private readonly control: ControlBlock;
  private session: Session;
  /** State of the session that came with the machine; null at power-on. */
  private begun: SessionState | null = null;
  private readonly reports: SliceReports;
  private readonly progress: ProgressReporter;
  /** The bell at the last look at the mail: every order rings it after it was posted. */
  private heardBell: number | null = null;
  private going = false;
  /** Nothing more will run: reached, stopped or diverged. */
  private resting = false;
  private failure: LockstepError | null = null;
  private readonly throttleDebt = new ThrottleDebt();

  constructor(start: WorkerStart, machine: Machine, port: MessagePort) {
    this.start = start;
    this.machine = machine;
    this.port = port;
    this.control = viewControl(start.control);
    const post = (report: Report): void => this.post(report);
    this.reports = new SliceReports(this.control, start.reportBudgetBytes, post);
    this.progress = new ProgressReporter(machine, this.control, post);
    this.session = this.openSession();
  }

  /** Returns when the host tells it to stop. */
  run(): void {
    const { digest, hartCount } = this.machine;
    this.post({ kind: 'ready', digest, hartCount });
    while (!this.told(CONTROL.stop)) {
      const bell = Atomics.load(this.control.words, CONTROL.bell);
      if (bell !== this.heardBell) this.takeMail();
      this.heardBell = bell;
      this.publishProgress(false);
      if (!this.going || this.resting) this.sleep(bell, null);
      else if (this.told(CONTROL.pause)) this.rest(bell);
      else if (this.reports.isOverBudget()) this.reports.waitForListener();
      else {
        const waitMs = this.turn(bell);
        if (waitMs !== 0) this.sleep(bell, waitMs);
      }
    }
  }

  private openSession(): Session {
    const { role, start, config, clock, untilStep } = this.start;
    const restored =
      start.kind === 'snapshot'
        ? restoreSnapshot(this.machine, start.snapshot, start.copied)
        : null;
    this.begun = restored;
    if (role.kind === 'replay') {
      const begun = restored ?? freshState(this.machine, role.firstSeq);
      const state = { ...begun, epoch: role.epoch ?? begun.epoch };
      if (state.seq + 1n !== role.firstSeq) {
        throw new LockstepError(
          'USAGE',
          `the snapshot is followed by entry ${state.seq + 1n}, not ${role.firstSeq}`,
        );
      }
      return { kind: 'replay', replay: new ReplaySession({ machine: this.machine, state }) };
    }
    const firstSeq = role.kind === 'record' ? role.firstSeq : 1n;
    // A log that begins here has its own epochs: the arbiter has given this one.
    const state: SessionState = {
      ...(restored ?? freshState(this.machine, firstSeq)),
      seq: firstSeq - 1n,
      epoch: 0n,
    };
    const epoch = role.kind === 'record' ? role.epoch : 1n;
    return { kind: 'record', record: this.record(state, epoch, { clock, untilStep, config }) };
  }

  private record(
    state: SessionState,
    epoch: bigint,
    options: Pick<WorkerStart, 'clock' | 'untilStep' | 'config'>,
  ): RecordSession {
    return new RecordSession({
      machine: this.machine,
      ports: HOST_PORTS,
      state,
      epoch,
      clock: options.clock,
      initialRate: options.config.initialRate,
      log: this.start.role.kind !== 'free',
      ...(options.untilStep === null ? {} : { untilStep: options.untilStep }),
    });
  }

  /** Lets the machine run for a bit. Gives the time to sleep then; null is until the bell. */
  private turn(bell: number): number | null {
    const startMs = performance.now();
    let waitMs: number | null = null;
    try {
      waitMs =
        this.session.kind === 'record'
          ? this.recordTurn(this.session.record)
          : this.replayTurn(this.session.replay);
    } catch (error) {
      // The log does not fit; any other error is a fault of this program or this host.
      const isLost = this.session.kind === 'record' || !(error instanceof LockstepError);
      if (isLost || error.code === 'IO') throw error;
      this.fail(error);
    }
    this.throttle(performance.now() - startMs, bell);
    return waitMs;
  }

  private recordTurn(session: RecordSession): number | null {
    const status = session.runSlice();
    this.reports.report(session, status.kind);
    switch (status.kind) {
      case 'running':
        return 0;
      case 'parked':
        return status.wakeInNs === null ? null : Number(status.wakeInNs) / 1e6;
      case 'reached':
        this.reached();
        return null;
      case 'stopped':
        this.stopped(status.stop, session.lastSeq());
        return null;
      default:
        return unreachable(status);
    }
  }

  private replayTurn(session: ReplaySession): number | null {
    const { untilStep } = this.start;
    const steps = this.machine.steps();
    const left = untilStep === null ? REPLAY_BUDGET_STEPS : untilStep - steps;
    const status = session.advance(left < REPLAY_BUDGET_STEPS ? left : REPLAY_BUDGET_STEPS);
    const stop = session.stopped();
    if (status === 'stopped' && stop !== null) this.stopped(stop, session.lastSeq());
    else if (untilStep !== null && this.machine.steps() >= untilStep) this.reached();
    else if (status === 'behind') return 0;
    return null;
  }

  /** The log does not fit; nothing here runs again. */
  private fail(error: LockstepError): void {
    this.failure = error;
    this.resting = true;
    this.publishProgress(true);
    this.post({ kind: 'diverged', error: packError(error) });
  }

  private reached(): void {
    this.resting = true;
    this.publishProgress(true);
    this.post({ kind: 'reached', step: this.machine.steps() });
  }

  private stopped(stop: MachineStop, seq: bigint): void {
    this.resting = true;
    this.publishProgress(true);
    this.post({ kind: 'stopped', stop, seq });
  }

  /** Paused: a follower may come up to here. */
  private rest(bell: number): void {
    if (this.session.kind === 'record') {
      this.session.record.logHorizon();
      this.reports.report(this.session.record, 'order');
    }
    this.sleep(bell, null);
  }

  private takeMail(): void {
    for (;;) {
      const mail: { message: Order } | undefined = receiveMessageOnPort(this.port);
      if (mail === undefined) return;
      this.obey(mail.message);
    }
  }

  private obey(order: Order): void {
    switch (order.kind) {
      case 'go':
        this.going = true;
        return;
      case 'input':
        this.recording('input').sendConsoleInput(order.input);
        return;
      case 'frames':
        this.recording('frames').sendFrames(order.frames);
        return;
      case 'epoch':
        this.recording('an epoch').logEpoch(order.epoch);
        this.reports.report(this.recording('an epoch'), 'order');
        return;
      case 'power-off':
        this.recording('power-off').sendControl('power-off');
        return;
      case 'feed':
        this.feed(order);
        return;
      case 'released':
        if (this.session.kind === 'replay') this.session.replay.release(order.stream, order.offset);
        return;
      default:
        this.answer(order);
    }
  }

  private feed(order: Extract<Order, { kind: 'feed' }>): void {
    assert(this.session.kind === 'replay', 'entries fed to a host that records');
    if (this.failure !== null) return;
    try {
      this.session.replay.feed(order.entries);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      this.fail(error);
    }
  }

  private recording(what: string): RecordSession {
    assert(this.session.kind === 'record', `${what} for a host that replays`);
    return this.session.record;
  }

  private answer(order: Extract<Order, { request: number }>): void {
    const { request } = order;
    try {
      const answer = this.answerTo(order);
      const buffer = handedOver(answer)?.buffer;
      const transfer = buffer instanceof ArrayBuffer ? [buffer] : [];
      this.port.postMessage({ kind: 'answer', request, answer } satisfies Report, transfer);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      this.post({ kind: 'refused', request, error: packError(error) });
    }
  }

  private answerTo(order: Extract<Order, { request: number }>): Answer {
    switch (order.kind) {
      case 'promote':
        return this.promote(order.epoch);
      case 'snapshot':
      case 'copy':
        return this.copy(order);
      case 'outputs': {
        const outputs = this.session.kind === 'replay' ? tailsOf(this.session.replay) : [];
        return { kind: 'outputs', outputs };
      }
      case 'write-start':
        return this.writeStart(order);
      case 'inspect':
        return { kind: 'inspection', inspection: inspectMachine(this.machine, this.lastSeq()) };
      case 'hash-state':
        return { kind: 'state-hash', hash: hashWholeState(this.machine) };
      case 'read-ram':
        return { kind: 'ram', bytes: readRam(this.machine, order) };
      default:
        return unreachable(order);
    }
  }

  private writeStart({ directory, flush }: Extract<Order, { kind: 'write-start' }>): Answer {
    const { begun, machine } = this;
    assert(begun !== null && begun.seq === this.lastSeq(), 'the machine is as it was given');
    writeStartSnapshot(directory, snapshotParts(machine, begun), flush);
    return { kind: 'start-written' };
  }

  private copy(order: Extract<Order, { kind: 'snapshot' | 'copy' }>): Answer {
    if (this.session.kind === 'replay') {
      throw new LockstepError('USAGE', 'only a recording host can be copied');
    }
    const { record } = this.session;
    const startNs = process.hrtime.bigint();
    const made = order.kind === 'copy' ? record.copyPages(order.step) : record.snapshot();
    const copy = { ...made, tookNs: process.hrtime.bigint() - startNs };
    this.reports.report(record, 'order');
    return 'seq' in copy ? { kind: 'snapshot', snapshot: copy } : { kind: 'copied', copy };
  }

  private promote(epoch: bigint): Answer {
    if (this.failure !== null) throw this.failure;
    assert(this.session.kind === 'replay', 'promotion of a host that records');
    const { replay } = this.session;
    while (replay.advance(REPLAY_BUDGET_STEPS) === 'behind') this.publishProgress(true);
    const state = replay.promote();
    if (epoch <= state.epoch) {
      throw new LockstepError('FENCED', `epoch ${epoch} is not after ${state.epoch}`);
    }
    const outputs = tailsOf(replay);
    const { config } = this.start;
    const record = this.record(state, epoch, { clock: 'host', untilStep: null, config });
    this.session = { kind: 'record', record };
    this.resting = false;
    const hash = record.checkPages();
    const check = { seq: record.lastSeq(), hash };
    const promotion = { seq: state.seq + 1n, steps: stepsOf(this.machine), check, outputs };
    return { kind: 'promoted', promotion };
  }

  private lastSeq(): bigint {
    return this.session.kind === 'record'
      ? this.session.record.lastSeq()
      : this.session.replay.lastSeq();
  }

  /** Sleeps until the bell has rung since `bell` was read, or for `limitMs`. */
  private sleep(bell: number, limitMs: number | null): void {
    this.publishProgress(true);
    const waitMs = Math.min(limitMs ?? Infinity, this.progress.dueMs(), this.reports.dueMs());
    if (waitMs > 0) Atomics.wait(this.control.words, CONTROL.bell, bell, waitMs);
  }

  /** Sleeps off what the throttle takes; an order rung since `bell` comes first. */
  private throttle(ranMs: number, bell: number): void {
    const permille = Atomics.load(this.control.words, CONTROL.throttlePermille);
    const owedMs = this.throttleDebt.ran(ranMs, this.resting ? 1000 : permille);
    if (owedMs < 1) return;
    this.reports.flush();
    const startMs = performance.now();
    Atomics.wait(this.control.words, CONTROL.bell, bell, owedMs);
    this.throttleDebt.stood(performance.now() - startMs);
  }

  /** `stands`: nothing moves until there is a reason. */
  private publishProgress(stands: boolean): void {
    if (!this.going) return;
    const isReplay = this.session.kind === 'replay';
    if (!stands && !isReplay && !this.resting && !this.progress.isWanted()) return;
    const settled = this.resting || this.machine.isIdle() || isReplay;
    this.progress.publish(this.lastSeq(), settled);
  }

  private told(flag: typeof CONTROL.stop | typeof CONTROL.pause): boolean {
    return Atomics.load(this.control.words, flag) === 1;
  }

  private post(report: Report): void {
    this.port.postMessage(report);
  }
}
