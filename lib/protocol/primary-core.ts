/**
 * The primary's role: replication, output commit, loss of backups, arbitration, joining.
 *
 * A pure state machine: `step(input, nowMs)` returns effects; nothing waits, sends or has a clock.
 * The host gives `tick` when `wakeAtMs()` has come. primary-states.ts has states and diagram.
 *
 * Epoch and generation are one number. The first entry of a number opens the epoch; a second of
 * the same number begins its protection: from that effect on outputs wait, and a backup that
 * holds the entry may promote. Because an epoch's generation e + 1 can be won once, either the
 * primary goes on in e + 1 or one of its backups does, never two of them. A further backup that
 * has caught up is counted from one more entry of the same number on. roster.ts has the backups.
 *
 * Invariant: released <= committed; while outputs wait, committed <= acked <= sent <= recorded.
 *
 * It is not the fence: a stopped process can still speak late, so every sink checks the epoch.
 */

import { assert, unreachable } from '../base/assert.js';
import type { Holder } from './arbiter.js';
import { Arbitration } from './arbitration.js';
import { GuestControl, type Load } from './guest-control.js';
import { assertLimits, lagGrainMs, type PairLimits } from './limits.js';
import { OutputGate } from './output-gate.js';
import type {
  CloseReason,
  FenceCause,
  PrimaryEffect,
  PrimaryFigures,
  PrimaryInput,
  PrimaryState,
  Protection,
  Takeover,
} from './primary-contract.js';
import { PRIMARY_POLICY, type AckMode, type PrimaryPolicy } from './primary-policy.js';
import { PrimarySession } from './primary-session.js';
import { closeStream, Roster } from './roster.js';
import { PRIMARY_TRANSITIONS, protectionIn } from './primary-states.js';
import { assertTransition } from './transition.js';

export interface PrimaryOptions {
  readonly limits: PairLimits;
  readonly ackMode: AckMode;
  /** What a promoted backup brings; null for a machine that powers on. */
  readonly takeover: Takeover | null;
  /** Backups that protect at once; others that come stand by. 1 by default. */
  readonly backups?: number;
  /** Last entry before the log of a machine that is restored; 0, for power-on, by default. */
  readonly position?: bigint;
  /** Rules of safety; only tests give others than `PRIMARY_POLICY`. */
  readonly policy?: PrimaryPolicy;
}

type Input<Kind extends PrimaryInput['kind']> = Extract<PrimaryInput, { readonly kind: Kind }>;

export class PrimaryCore {
  private readonly limits: PairLimits;
  private readonly ackMode: AckMode;
  private readonly policy: PrimaryPolicy;
  private readonly takeover: Takeover | null;

  private currentState: PrimaryState;
  private epoch: bigint;
  private lastSeq: bigint;
  private readonly gate: OutputGate;
  private hasOpened = false;
  private stopSeq: bigint | null = null;
  private readonly roster: Roster;
  private arbitration: Arbitration | null = null;
  private readonly guest: GuestControl;
  private steppedMs = 0;
  private readonly effects: PrimaryEffect[] = [];

  constructor(options: PrimaryOptions) {
    assertLimits(options.limits);
    this.limits = options.limits;
    this.ackMode = options.ackMode;
    this.policy = options.policy ?? PRIMARY_POLICY;
    this.guest = new GuestControl(this.policy, this.limits);
    this.roster = new Roster(options.backups ?? 1);
    this.takeover = options.takeover;
    this.currentState = this.takeover === null ? 'starting' : 'solo';
    this.epoch = this.takeover?.epoch ?? 0n;
    this.lastSeq = this.takeover?.lastSeq ?? options.position ?? 0n;
    this.gate = new OutputGate(this.lastSeq);
    if (this.takeover?.guestStopped === true) this.stopSeq = this.lastSeq;
  }

  get state(): PrimaryState {
    return this.currentState;
  }

  /** Carries out one input; the effects are to be done in their order before the next input. */
  step(input: PrimaryInput, nowMs: number): PrimaryEffect[] {
    if (this.currentState === 'fenced' || this.currentState === 'stopped') {
      const reason = this.currentState === 'stopped' ? 'stopped' : 'not-primary';
      return input.kind === 'backup-opened' ? [closeStream(input.session, reason)] : [];
    }
    this.creditLag(input, nowMs);
    this.steppedMs = nowMs;
    this.take(input, nowMs);
    this.settle(nowMs);
    return this.effects.splice(0);
  }

  /** When the next `tick` is due at the latest; Infinity if nothing waits for time. */
  wakeAtMs(): number {
    const askMs = this.arbitration?.wakeAtMs() ?? Infinity;
    if (this.roster.all().length === 0) return askMs;
    return Math.min(
      askMs,
      this.roster.wakeAtMs(this.lastSeq, this.limits),
      this.roster.backups().length === 0 ? Infinity : this.guest.wakeAtMs(),
      // A tick at least every heartbeat keeps the measure of the process's own pauses fine.
      this.steppedMs + this.limits.heartbeatMs,
    );
  }

  /** Whether a backup has something to acknowledge. */
  awaitsAck(): boolean {
    return this.roster.awaitsAck();
  }

  protection(): Protection {
    return protectionIn(this.currentState);
  }

  figures(nowMs: number): PrimaryFigures {
    return {
      state: this.currentState,
      protection: this.protection(),
      epoch: this.epoch,
      lastSeq: this.lastSeq,
      committedSeq: this.gate.committedSeq,
      ...this.roster.figures(nowMs),
      heldBytes: this.gate.heldBytes,
      throttlePermille: this.guest.permille,
    };
  }

  private take(input: PrimaryInput, nowMs: number): void {
    switch (input.kind) {
      case 'start':
        return this.takeStart(nowMs);
      case 'recorded':
        return this.takeRecorded(input, nowMs);
      case 'epoch-logged':
        return this.takeEpochLogged(input);
      case 'output':
        return this.takeOutput(input, nowMs);
      case 'backup-opened':
        return this.takeOpened(input, nowMs);
      case 'ack':
        return this.takeAck(input, nowMs);
      case 'backup-closed':
        return this.lose(input.session, 'stream closed', null, nowMs);
      case 'blocked':
      case 'writable':
        return this.roster.get(input.session)?.block(input.kind === 'blocked');
      case 'snapshot-taken':
        return this.roster.get(input.session)?.copied(input.seq, this.lastSeq, nowMs);
      case 'snapshot-failed':
        return this.lose(input.session, 'snapshot failed', 'snapshot-failed', nowMs);
      case 'claimed':
        return this.takeClaimed(input, nowMs);
      case 'guest-stopped':
        assert(this.stopSeq === null, `guest stopped at ${input.seq} and at ${this.stopSeq}`);
        this.stopSeq = input.seq;
        return;
      case 'tick':
        return;
      default:
        return unreachable(input);
    }
  }

  /**
   * A step later than the time this core wanted to wake at means that its process did not run,
   * so that silence until now proves nothing.
   */
  private creditLag(input: PrimaryInput, nowMs: number): void {
    const toldMs = input.kind === 'tick' ? input.loopLagMs : 0;
    const lagMs = Math.max(toldMs, nowMs - this.wakeAtMs());
    if (lagMs > lagGrainMs(this.limits)) this.roster.creditLag(lagMs, nowMs);
  }

  private takeStart(nowMs: number): void {
    if (this.takeover === null) {
      this.arbitration = new Arbitration(1n, nowMs, this.limits);
      return;
    }
    // The generation was won before this core was made, so its outputs wait for nobody.
    this.emit({ kind: 'log-epoch', epoch: this.epoch, purpose: 'open' });
    this.emit({ kind: 'announce', epoch: this.epoch });
    this.emit({ kind: 'resend', afterSeq: this.takeover.releasedSeq, epoch: this.epoch });
  }

  private takeRecorded(input: Input<'recorded'>, nowMs: number): void {
    assert(
      input.firstSeq === this.lastSeq + 1n && input.lastSeq >= input.firstSeq,
      `entries ${input.firstSeq} to ${input.lastSeq} after ${this.lastSeq}`,
    );
    assert(this.currentState !== 'starting', 'the guest ran before the arbiter allowed it');
    this.lastSeq = input.lastSeq;
    this.roster.recorded(input, nowMs);
  }

  private takeEpochLogged(input: Input<'epoch-logged'>): void {
    assert(input.seq <= this.lastSeq, `epoch entry ${input.seq} beyond ${this.lastSeq}`);
    // Between effect and entry the role may have moved on to the next epoch.
    if (input.epoch !== this.epoch) return;
    if (this.hasOpened) this.roster.protectionLogged(input.seq);
    this.hasOpened = true;
  }

  private takeOutput(input: Input<'output'>, nowMs: number): void {
    assert(input.seq <= this.lastSeq, `output of entry ${input.seq} beyond ${this.lastSeq}`);
    this.emit(...this.gate.hold(input, this.epoch, nowMs));
  }

  private takeOpened(input: Input<'backup-opened'>, nowMs: number): void {
    // Who lost the generation asked for may know before the answer is here that this node has it.
    const isBusy = this.currentState === 'starting' || input.epoch === this.arbitration?.generation;
    if (input.epoch > this.epoch && !isBusy) {
      this.emit(closeStream(input.session, 'stale-epoch'));
      return this.fence('newer-epoch', null);
    }
    if (!input.compatible) return this.emit(closeStream(input.session, 'incompatible'));
    const session = new PrimarySession(input.session, nowMs, input.purpose ?? 'protect');
    if (isBusy || !this.mayBegin() || !this.roster.hasRoomFor(session.purpose)) {
      return this.emit(closeStream(input.session, 'busy'));
    }
    this.roster.add(session);
    if (this.roster.nextToBegin() === session) {
      return this.begin(session, input.resumable ? input.position : null, nowMs);
    }
    this.emit({ kind: 'stand-by', session: session.id, epoch: this.epoch });
  }

  /** Before its opening entry is logged an epoch has nothing that a backup could start from. */
  private mayBegin(): boolean {
    return this.hasOpened && this.currentState !== 'arbitrating' && this.stopSeq === null;
  }

  /** The log after `resumeSeq` is for this backup, or a snapshot and what follows it. */
  private begin(session: PrimarySession, resumeSeq: bigint | null, nowMs: number): void {
    if (this.roster.backups().length === 0) this.guest.backupOpened(nowMs);
    session.begin(resumeSeq ?? this.lastSeq, this.epoch, nowMs);
    const mode = resumeSeq === null ? 'snapshot' : 'resume';
    const seq = resumeSeq ?? 0n;
    this.emit({ kind: 'answer-hello', session: session.id, epoch: this.epoch, mode, seq });
    if (resumeSeq === null) this.emit({ kind: 'take-snapshot', session: session.id });
    else session.rebase(resumeSeq, this.lastSeq, nowMs);
    if (session.stage !== 'joining' || this.currentState !== 'solo') return;
    this.transition('joining', `backup opened a stream, ${mode}`);
  }

  private takeAck(input: Input<'ack'>, nowMs: number): void {
    const session = this.roster.get(input.session);
    if (session === null || session.stage === 'waiting') return;
    // Sent before the backup heard of this epoch: it lives, and no more than that.
    const isLate = input.epoch < this.epoch && input.epoch >= session.openedIn;
    if (isLate) {
      session.heardMs = nowMs;
      return;
    }
    if (!this.policy.ackIsSound(input, session, this.epoch)) {
      return this.lose(session.id, 'unsound ack', 'protocol-violation', nowMs);
    }
    session.heardMs = nowMs;
    const mode = session.purpose === 'verify' ? 'received' : this.ackMode;
    session.acked(input, this.policy, mode, nowMs);
  }

  private takeClaimed(input: Input<'claimed'>, nowMs: number): void {
    const arbitration = this.arbitration;
    if (arbitration === null || arbitration.generation !== input.generation) return;
    const { answer } = input;
    if (this.policy.mayRunAlone(answer)) return this.runAlone(input.generation, 'arbiter granted');
    if (answer.outcome === 'unavailable') return arbitration.postpone(nowMs);
    const cause = this.currentState === 'starting' ? 'generation-taken' : 'lost-arbitration';
    this.fence(cause, answer.outcome === 'lost' ? answer.holder : null);
  }

  private runAlone(generation: bigint, cause: string): void {
    this.arbitration = null;
    this.epoch = generation;
    this.hasOpened = false;
    for (const session of this.roster.all()) session.uncount();
    this.transition('solo', cause);
    this.emit({ kind: 'log-epoch', epoch: generation, purpose: 'open' });
    if (this.roster.backups().length > 0) this.transition('joining', 'backups are left');
  }

  private fence(cause: FenceCause, holder: Holder | null): void {
    this.emit(...this.roster.closeAll('not-primary'));
    this.arbitration = null;
    this.transition('fenced', cause);
    this.emit({ kind: 'fence', cause, holder });
  }

  /** A backup is gone or useless; `reason` is set where its stream is still open. */
  private lose(id: number, cause: string, reason: CloseReason | null, nowMs: number): void {
    const session = this.roster.get(id);
    if (session === null) return;
    if (reason !== null) this.emit(closeStream(session.id, reason));
    this.roster.remove(id);
    switch (session.stage) {
      case 'waiting':
      case 'verifying':
        return;
      case 'joining':
        if (this.currentState !== 'joining' || this.roster.backups().length > 0) return;
        return this.transition('solo', cause);
      case 'counted':
        return this.arbitrate(cause, nowMs);
    }
  }

  /** A backup that was counted may promote, so it takes the arbiter to go on without it. */
  private arbitrate(cause: string, nowMs: number): void {
    if (this.currentState === 'arbitrating') return;
    this.transition('arbitrating', cause);
    const generation = this.epoch + 1n;
    if (this.policy.onLoss() === 'run-alone') return this.runAlone(generation, cause);
    this.arbitration = new Arbitration(generation, nowMs, this.limits);
  }

  /** What follows from the state after any input, in a fixed order. */
  private settle(nowMs: number): void {
    for (const { id, cause } of this.roster.lost(this.policy, this.limits, nowMs)) {
      this.lose(id, cause, 'timeout', nowMs);
    }
    if (this.currentState === 'fenced') return;
    // One whose wait is over begins.
    const next = this.mayBegin() ? this.roster.nextToBegin() : null;
    if (next !== null) this.begin(next, null, nowMs);
    this.protect(nowMs);
    this.commit();
    const head = { epoch: this.epoch, lastSeq: this.lastSeq, releasedSeq: this.gate.committedSeq };
    this.emit(...this.roster.feed(head, this.policy, this.limits, nowMs));
    this.emit(...this.guest.steer(this.load(), nowMs));
    this.emit(...this.roster.trim());
    this.stopInOrder();
    if (this.arbitration?.isDue(nowMs) === true) {
      this.emit({ kind: 'claim', generation: this.arbitration.generation });
    }
  }

  private protect(nowMs: number): void {
    // A guest that has switched off needs no protection, only its last outputs released.
    if (!this.mayBegin()) return;
    const ready = this.roster.ready(this.policy, this.limits, nowMs);
    if (ready.length === 0) return;
    for (const session of ready) session.count();
    if (this.currentState === 'joining') this.transition('protecting', 'backup caught up');
    this.emit({ kind: 'log-epoch', epoch: this.epoch, purpose: 'protect' });
  }

  private commit(): void {
    this.emit(...this.gate.commit(this.commitPoint(), this.epoch));
    if (this.currentState !== 'protecting') return;
    if (this.roster.hasProtected(this.policy, this.ackMode)) {
      this.transition('protected', 'protection entry acked');
    }
  }

  private commitPoint(): bigint {
    if (!this.policy.outputsWait(this.currentState)) return this.lastSeq;
    // What a lost backup has not acked waits for the arbiter, whatever others have.
    if (this.currentState === 'arbitrating') return this.gate.committedSeq;
    return this.roster.committed(this.policy, this.ackMode) ?? this.gate.committedSeq;
  }

  private load(): Load {
    const isJoining = this.currentState === 'joining';
    return { backups: this.roster.backups(), heldBytes: this.gate.heldBytes, isJoining };
  }

  private stopInOrder(): void {
    if (this.stopSeq === null || this.gate.committedSeq < this.stopSeq) return;
    if (!PRIMARY_TRANSITIONS[this.currentState].includes('stopped')) return;
    this.emit(...this.roster.closeAll('stopped'));
    this.transition('stopped', 'guest switched off');
    this.emit({ kind: 'stop' });
  }

  private transition(to: PrimaryState, cause: string): void {
    const from = this.currentState;
    assertTransition(PRIMARY_TRANSITIONS, from, to);
    this.currentState = to;
    this.emit({ kind: 'transition', from, to, cause });
  }

  private emit(...effects: readonly PrimaryEffect[]): void {
    this.effects.push(...effects);
  }
}
