/**
 * The primary's role: replication, output commit, loss of the backup, arbitration, joining.
 *
 * A pure state machine: `step(input, nowMs)` returns effects; nothing waits, sends or has a clock.
 * The host gives `tick` when `wakeAtMs()` has come. primary-states.ts has states and diagram.
 *
 * Epoch and generation are one number. The first entry of a number opens the epoch; a second of
 * the same number begins its protection: from that effect on outputs wait, and a backup that
 * holds the entry may promote. Because an epoch's generation e + 1 can be won once, either the
 * primary goes on alone in e + 1 or the backup does, never both.
 *
 * Invariant: released <= committed; while outputs wait, committed <= acked <= sent <= recorded.
 *
 * It is not the fence: a stopped process can still speak late, so every sink checks the epoch.
 */

import { assert, unreachable } from '../base/assert.js';
import type { Holder } from './arbiter.js';
import { Arbitration } from './arbitration.js';
import { GuestControl } from './guest-control.js';
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
import { PRIMARY_TRANSITIONS, protectionIn } from './primary-states.js';
import { assertTransition } from './transition.js';

export interface PrimaryOptions {
  readonly limits: PairLimits;
  readonly ackMode: AckMode;
  /** What a promoted backup brings; null for a machine that powers on. */
  readonly takeover: Takeover | null;
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
  /** Entry that began the protection of this epoch; null before it is logged. */
  private protectionSeq: bigint | null = null;
  private stopSeq: bigint | null = null;
  private session: PrimarySession | null = null;
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
      return input.kind === 'backup-opened' ? [close(input.session, reason)] : [];
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
    if (this.session === null) return askMs;
    return Math.min(
      askMs,
      this.session.wakeAtMs(this.lastSeq, this.limits),
      this.guest.wakeAtMs(),
      // A tick at least every heartbeat keeps the measure of the process's own pauses fine.
      this.steppedMs + this.limits.heartbeatMs,
    );
  }

  protection(): Protection {
    return protectionIn(this.currentState);
  }

  figures(nowMs: number): PrimaryFigures {
    const session = this.session;
    return {
      state: this.currentState,
      protection: this.protection(),
      epoch: this.epoch,
      lastSeq: this.lastSeq,
      committedSeq: this.gate.committedSeq,
      receivedSeq: session?.receivedSeq ?? 0n,
      replayedSeq: session?.replayedSeq ?? 0n,
      unackedBytes: session?.unacked.bytes ?? 0,
      unreplayedBytes: session?.unreplayed.bytes ?? 0,
      heldBytes: this.gate.heldBytes,
      lagMs: session?.lagMs(nowMs) ?? 0,
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
        if (this.isCurrent(input.session)) this.loseBackup('stream closed', null, nowMs);
        return;
      case 'blocked':
      case 'writable':
        if (this.session !== null && this.isCurrent(input.session)) {
          this.session.isBlocked = input.kind === 'blocked';
        }
        return;
      case 'snapshot-taken':
        if (this.session !== null && this.isCurrent(input.session)) {
          assert(this.session.baseSeq === null, 'snapshot taken twice');
          this.session.rebase(input.seq, this.lastSeq, nowMs);
        }
        return;
      case 'snapshot-failed':
        if (this.isCurrent(input.session)) {
          this.loseBackup('snapshot failed', 'snapshot-failed', nowMs);
        }
        return;
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
    if (lagMs > lagGrainMs(this.limits)) this.session?.creditLag(lagMs, nowMs);
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
    this.session?.recorded(input.lastSeq, input.bytes, input.hasOutputMark, nowMs);
  }

  private takeEpochLogged(input: Input<'epoch-logged'>): void {
    assert(input.seq <= this.lastSeq, `epoch entry ${input.seq} beyond ${this.lastSeq}`);
    // Between effect and entry the role may have moved on to the next epoch.
    if (input.epoch !== this.epoch) return;
    if (this.hasOpened) this.protectionSeq = input.seq;
    this.hasOpened = true;
  }

  private takeOutput(input: Input<'output'>, nowMs: number): void {
    assert(input.seq <= this.lastSeq, `output of entry ${input.seq} beyond ${this.lastSeq}`);
    this.emit(...this.gate.hold(input, this.epoch, nowMs));
  }

  private takeOpened(input: Input<'backup-opened'>, nowMs: number): void {
    if (input.epoch > this.epoch) {
      this.emit(close(input.session, 'stale-epoch'));
      this.fence('newer-epoch', null);
      return;
    }
    if (!input.compatible) return this.emit(close(input.session, 'incompatible'));
    // Before its opening entry is logged an epoch has nothing that a backup could start from.
    if (this.currentState !== 'solo' || !this.hasOpened) {
      return this.emit(close(input.session, 'busy'));
    }
    const session = new PrimarySession(input.session, nowMs);
    this.session = session;
    this.guest.backupOpened(nowMs);
    const mode = input.resumable ? 'resume' : 'snapshot';
    const seq = input.resumable ? input.position : 0n;
    this.emit({ kind: 'answer-hello', session: session.id, epoch: this.epoch, mode, seq });
    if (input.resumable) session.rebase(seq, this.lastSeq, nowMs);
    else this.emit({ kind: 'take-snapshot', session: session.id });
    this.transition('joining', `backup opened a stream, ${mode}`);
  }

  private takeAck(input: Input<'ack'>, nowMs: number): void {
    const session = this.session;
    if (session === null || session.id !== input.session) return;
    if (!this.policy.ackIsSound(input, session, this.epoch)) {
      return this.loseBackup('unsound ack', 'protocol-violation', nowMs);
    }
    session.heardMs = nowMs;
    const before = session.receivedSeq;
    session.acked(input, this.policy, this.ackMode, nowMs);
    if (session.receivedSeq > before) this.emit({ kind: 'trim', throughSeq: session.receivedSeq });
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
    this.protectionSeq = null;
    this.transition('solo', cause);
    this.emit({ kind: 'log-epoch', epoch: generation, purpose: 'open' });
  }

  private fence(cause: FenceCause, holder: Holder | null): void {
    if (this.session !== null) this.emit(close(this.session.id, 'not-primary'));
    this.session = null;
    this.arbitration = null;
    this.transition('fenced', cause);
    this.emit({ kind: 'fence', cause, holder });
  }

  /** The backup is gone or useless; `reason` is set where its stream is still open. */
  private loseBackup(cause: string, reason: CloseReason | null, nowMs: number): void {
    const session = this.session;
    if (session === null) return;
    if (reason !== null) this.emit(close(session.id, reason));
    this.session = null;
    if (this.currentState === 'joining') return this.transition('solo', cause);
    this.transition('arbitrating', cause);
    const generation = this.epoch + 1n;
    if (this.policy.onLoss() === 'run-alone') return this.runAlone(generation, cause);
    this.arbitration = new Arbitration(generation, nowMs, this.limits);
  }

  /** What follows from the state after any input, in a fixed order. */
  private settle(nowMs: number): void {
    this.watchBackup(nowMs);
    if (this.currentState === 'fenced') return;
    this.protect();
    this.commit();
    this.flush(nowMs);
    this.steerGuest(nowMs);
    this.stopInOrder();
    if (this.arbitration?.isDue(nowMs) === true) {
      this.emit({ kind: 'claim', generation: this.arbitration.generation });
    }
  }

  private watchBackup(nowMs: number): void {
    if (this.session === null) return;
    const lost = this.policy.backupLost(this.session.health(nowMs, this.limits), this.limits);
    if (lost !== null) this.loseBackup(`backup ${lost}`, 'timeout', nowMs);
  }

  private protect(): void {
    const session = this.session;
    // A guest that has switched off needs no protection, only its last outputs released.
    if (session === null || this.currentState !== 'joining' || this.stopSeq !== null) return;
    const joining = {
      isCaughtUp: session.isCaughtUp(),
      unackedBytes: session.unacked.bytes,
      unreplayedBytes: session.unreplayed.bytes,
    };
    if (!this.policy.mayProtect(joining, this.limits)) return;
    this.transition('protecting', 'backup caught up');
    this.emit({ kind: 'log-epoch', epoch: this.epoch, purpose: 'protect' });
  }

  private commit(): void {
    this.emit(...this.gate.commit(this.commitPoint(), this.epoch));
    if (this.currentState !== 'protecting' || this.session === null) return;
    if (this.protectionSeq === null) return;
    if (this.policy.committed(this.session, this.ackMode) >= this.protectionSeq) {
      this.transition('protected', 'protection entry acked');
    }
  }

  private commitPoint(): bigint {
    if (!this.policy.outputsWait(this.currentState)) return this.lastSeq;
    if (this.session === null) return this.gate.committedSeq;
    return this.policy.committed(this.session, this.ackMode);
  }

  private flush(nowMs: number): void {
    const session = this.session;
    if (session === null || session.isBlocked) return;
    const { lastSeq, limits } = this;
    const head = { session: session.id, epoch: this.epoch, releasedSeq: this.gate.committedSeq };
    if (session.hasPending(lastSeq) && this.policy.flushes(session.pending(nowMs), limits)) {
      const firstSeq = session.sentSeq + 1n;
      this.emit({ kind: 'send-batch', ...head, firstSeq, lastSeq });
      session.sent(lastSeq, nowMs);
    } else if (nowMs - session.sentMs >= limits.heartbeatMs) {
      session.sentMs = nowMs;
      this.emit({ kind: 'send-heartbeat', ...head, lastSeq, timeMs: nowMs });
    }
  }

  private steerGuest(nowMs: number): void {
    const isJoining = this.currentState === 'joining';
    const load = { session: this.session, heldBytes: this.gate.heldBytes, isJoining };
    this.emit(...this.guest.steer(load, nowMs));
  }

  private stopInOrder(): void {
    if (this.stopSeq === null || this.gate.committedSeq < this.stopSeq) return;
    if (!PRIMARY_TRANSITIONS[this.currentState].includes('stopped')) return;
    if (this.session !== null) this.emit(close(this.session.id, 'stopped'));
    this.session = null;
    this.transition('stopped', 'guest switched off');
    this.emit({ kind: 'stop' });
  }

  private isCurrent(session: number): boolean {
    return this.session?.id === session;
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

function close(session: number, reason: CloseReason): PrimaryEffect {
  return { kind: 'close-stream', session, reason };
}
