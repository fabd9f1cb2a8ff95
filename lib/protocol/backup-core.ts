/**
 * The backup's role: following the log, detecting the primary's loss, arbitration, promotion.
 *
 * A pure state machine: `step(input, nowMs)` returns effects, and nothing here waits, sends or
 * reads a clock. The host gives `tick` when `wakeAtMs()` has come. The states and their diagram
 * stand in backup-states.ts.
 *
 * Invariant: replayed, durable <= received; entries are taken in batches, whole and without a
 * gap. Only `protecting` leads to the arbiter, and only the arbiter to `promoted`.
 */

import { unreachable } from '../base/assert.js';
import { AckPacer } from './ack-pacer.js';
import type { Holder } from './arbiter.js';
import { Arbitration } from './arbitration.js';
import type {
  BackupEffect,
  BackupFigures,
  BackupInput,
  BackupState,
  HaltCause,
} from './backup-contract.js';
import { BackupDialer } from './backup-dialer.js';
import { BACKUP_POLICY, type BackupPolicy } from './backup-policy.js';
import { BackupPosition } from './backup-position.js';
import { BACKUP_TRANSITIONS, LISTENING } from './backup-states.js';
import { assertLimits, lagGrainMs, type PairLimits } from './limits.js';
import type { CloseReason } from './primary-contract.js';
import { assertTransition } from './transition.js';

export interface BackupOptions {
  readonly limits: PairLimits;
  /** Where a primary may be found, tried in turn; at least one. */
  readonly addresses: readonly string[];
  /** Last complete entry already held (from files), 0 for none. */
  readonly position: bigint;
  /** Number of the last `epoch` entry up to `position`, 0 for none. */
  readonly logEpoch: bigint;
  /** Rules of safety; only tests give others than `BACKUP_POLICY`. */
  readonly policy?: BackupPolicy;
}

type Input<Kind extends BackupInput['kind']> = Extract<BackupInput, { readonly kind: Kind }>;

export class BackupCore {
  private readonly limits: PairLimits;
  private readonly policy: BackupPolicy;
  private readonly dialer: BackupDialer;
  private readonly position: BackupPosition;

  private currentState: BackupState = 'dialing';
  /** Newest epoch this node knows; a primary of an older one is not followed. */
  private epoch: bigint;
  private heardMs = 0;
  private steppedMs = 0;
  private readonly acks = new AckPacer();
  private arbitration: Arbitration | null = null;
  private readonly effects: BackupEffect[] = [];

  constructor(options: BackupOptions) {
    assertLimits(options.limits);
    this.limits = options.limits;
    this.policy = options.policy ?? BACKUP_POLICY;
    this.dialer = new BackupDialer(options.addresses, options.limits);
    this.position = new BackupPosition(options.position, options.logEpoch);
    this.epoch = options.logEpoch;
  }

  get state(): BackupState {
    return this.currentState;
  }

  /** Carries out one input; the effects are to be done in their order before the next input. */
  step(input: BackupInput, nowMs: number): BackupEffect[] {
    if (this.currentState === 'promoted' || this.currentState === 'halted') return [];
    this.creditLag(input, nowMs);
    this.steppedMs = nowMs;
    this.take(input, nowMs);
    this.settle(input, nowMs);
    return this.effects.splice(0);
  }

  /** When the next `tick` is due at the latest; Infinity if nothing waits for time. */
  wakeAtMs(): number {
    switch (this.currentState) {
      case 'dialing':
        return this.dialer.hasStream ? this.heardMs + this.limits.dialTimeoutMs : this.dialer.dueMs;
      case 'greeting':
        return this.heardMs + this.limits.dialTimeoutMs;
      case 'loading':
      case 'following':
      case 'protecting': {
        // A tick at least every heartbeat keeps the measure of the process's own pauses fine.
        const tickMs = Math.min(
          this.heardMs + this.limits.suspectMs,
          this.steppedMs + this.limits.heartbeatMs,
        );
        return Math.min(tickMs, this.acks.wakeAtMs(this.position.replayedSeq, this.limits));
      }
      case 'arbitrating':
        return this.arbitration?.wakeAtMs() ?? Infinity;
      case 'promoting':
      case 'promoted':
      case 'halted':
        return Infinity;
      default:
        return unreachable(this.currentState);
    }
  }

  figures(): BackupFigures {
    return {
      state: this.currentState,
      epoch: this.epoch,
      receivedSeq: this.position.receivedSeq,
      replayedSeq: this.position.replayedSeq,
      durableSeq: this.position.durableSeq,
      primarySeq: this.position.primarySeq,
      heardMs: this.heardMs,
    };
  }

  private take(input: BackupInput, nowMs: number): void {
    if ('stream' in input && (input.stream !== this.dialer.stream || !this.dialer.hasStream))
      return;
    switch (input.kind) {
      case 'start':
        this.dialer.dueMs = nowMs;
        return;
      case 'connected':
        return this.takeConnected(nowMs);
      case 'closed':
        return this.takeClosed(input.reason, nowMs);
      case 'redirected':
        if (input.primary !== null) this.dialer.prefer(input.primary);
        return this.takeClosed('not-primary', nowMs);
      case 'hello-answered':
        return this.takeHelloAnswered(input, nowMs);
      case 'snapshot-chunk':
        this.heardMs = nowMs;
        this.acks.demand();
        return;
      case 'snapshot-loaded':
        return this.takeSnapshotLoaded(input.seq, nowMs);
      case 'snapshot-failed':
        return this.leaveStream('snapshot failed', 'snapshot-failed', nowMs);
      case 'batch':
        return this.takeBatch(input, nowMs);
      case 'heartbeat':
        return this.takeHeartbeat(input, nowMs);
      case 'durable':
        if (this.position.durable(input.seq)) this.acks.demand();
        return;
      case 'replayed':
        return this.position.replayed(input.seq);
      case 'diverged':
        if (!this.policy.haltsOnDivergence()) return this.position.replayed(input.seq);
        return this.halt('diverged', null, 'diverged');
      case 'claimed':
        return this.takeClaimed(input, nowMs);
      case 'drained':
        return this.takeDrained(input.seq);
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
  private creditLag(input: BackupInput, nowMs: number): void {
    const toldMs = input.kind === 'tick' ? input.loopLagMs : 0;
    const lagMs = Math.max(toldMs, nowMs - this.wakeAtMs());
    if (lagMs <= lagGrainMs(this.limits)) return;
    this.heardMs = Math.min(nowMs, this.policy.creditLag(this.heardMs, lagMs));
  }

  private takeConnected(nowMs: number): void {
    if (this.currentState !== 'dialing') return;
    this.heardMs = nowMs;
    this.transition('greeting', 'stream open');
    this.emit({
      kind: 'send-hello',
      stream: this.dialer.stream,
      position: this.position.receivedSeq,
      epoch: this.epoch,
    });
  }

  private takeClosed(reason: CloseReason | null, nowMs: number): void {
    this.dialer.hasStream = false;
    const power = {
      powerOffSeq: this.position.powerOffSeq,
      releasedSeq: this.position.releasedSeq,
    };
    if (this.currentState !== 'dialing') {
      if (this.policy.endedInOrder(reason, power)) return this.halt('stopped', null, null);
      if (reason === 'incompatible') return this.halt('incompatible', null, null);
    }
    if (this.currentState === 'protecting' && !this.policy.suspectsClosedStream()) return;
    this.losePrimary(reason === null ? 'stream broken' : `stream closed: ${reason}`, nowMs);
  }

  private takeHelloAnswered(input: Input<'hello-answered'>, nowMs: number): void {
    if (this.currentState !== 'greeting') return;
    if (input.epoch < this.epoch) {
      return this.leaveStream('primary of an older epoch', 'stale-epoch', nowMs);
    }
    this.epoch = input.epoch;
    this.heardMs = nowMs;
    this.dialer.welcomed();
    if (input.mode === 'snapshot') {
      this.position.drop();
      this.transition('loading', 'snapshot follows');
      this.emit({ kind: 'load-snapshot', stream: this.dialer.stream });
      return;
    }
    if (input.seq !== this.position.receivedSeq) {
      return this.leaveStream(`resumed at ${input.seq}`, 'protocol-violation', nowMs);
    }
    this.acks.restart();
    this.transition('following', `resumes after ${input.seq}`);
  }

  private takeSnapshotLoaded(seq: bigint, nowMs: number): void {
    if (this.currentState !== 'loading') return;
    this.heardMs = nowMs;
    // A primary takes a snapshot only after its epoch's opening entry.
    this.position.loaded(seq, this.epoch);
    this.acks.restart();
    this.transition('following', `snapshot of ${seq} loaded`);
  }

  private takeBatch(input: Input<'batch'>, nowMs: number): void {
    if (this.currentState !== 'following' && this.currentState !== 'protecting') return;
    const fault = this.policy.batchFault(input, this.position.receivedSeq, this.epoch);
    if (fault !== null) return this.leaveStream(fault, 'protocol-violation', nowMs);
    this.heardMs = nowMs;
    this.position.received(input);
    this.emit({ kind: 'accept', firstSeq: input.firstSeq, lastSeq: input.lastSeq });
    this.acks.demand();
    for (const entry of input.epochs) this.takeEpochEntry(entry.epoch, entry.seq, nowMs);
  }

  private takeEpochEntry(epoch: bigint, seq: bigint, nowMs: number): void {
    if (epoch < this.position.logEpoch || epoch > this.epoch) {
      return this.leaveStream(`epoch entry ${epoch} at ${seq}`, 'protocol-violation', nowMs);
    }
    const isRepeated = epoch === this.position.logEpoch;
    this.position.logEpoch = epoch;
    const begins = this.policy.beginsProtection(isRepeated, epoch === this.epoch);
    if (begins && this.currentState === 'following') {
      this.transition('protecting', `protection entry ${seq}`);
    }
  }

  private takeHeartbeat(input: Input<'heartbeat'>, nowMs: number): void {
    if (!LISTENING.includes(this.currentState)) return;
    if (input.epoch !== this.epoch) {
      return this.leaveStream(`heartbeat of ${input.epoch}`, 'protocol-violation', nowMs);
    }
    this.heardMs = nowMs;
    this.position.heard(input);
    this.acks.demand();
  }

  private takeClaimed(input: Input<'claimed'>, nowMs: number): void {
    const arbitration = this.arbitration;
    if (arbitration === null || arbitration.generation !== input.generation) return;
    switch (this.policy.verdict(input.answer)) {
      case 'promote':
        return this.promote(input.generation);
      case 'halt': {
        const holder = input.answer.outcome === 'lost' ? input.answer.holder : null;
        return this.halt('lost-arbitration', holder, null);
      }
      case 'retry':
        return arbitration.postpone(nowMs);
    }
  }

  private promote(generation: bigint): void {
    this.arbitration = null;
    this.epoch = this.policy.takeoverEpoch(generation);
    this.transition('promoting', `won generation ${generation}`);
    const throughSeq = this.policy.drainTarget(
      this.position.receivedSeq,
      this.position.replayedSeq,
    );
    this.emit({ kind: 'drain', throughSeq });
  }

  private takeDrained(seq: bigint): void {
    if (this.currentState !== 'promoting') return;
    this.transition('promoted', `drained to ${seq}`);
    this.emit({
      kind: 'become-primary',
      takeover: {
        epoch: this.epoch,
        lastSeq: seq,
        releasedSeq: this.policy.resendAfter(this.position.releasedSeq, seq),
        guestStopped: this.position.powerOffSeq !== null,
      },
    });
  }

  /** What follows from the state after any input, in a fixed order. */
  private settle(input: BackupInput, nowMs: number): void {
    this.watchPrimary(nowMs);
    if (this.currentState === 'dialing' && this.dialer.isDue(nowMs)) this.dial(nowMs);
    if (this.arbitration?.isDue(nowMs) === true) {
      this.emit({ kind: 'claim', generation: this.arbitration.generation });
    }
    this.acknowledge(input.kind === 'batch' && input.more, nowMs);
  }

  private watchPrimary(nowMs: number): void {
    const silentMs = nowMs - this.heardMs;
    switch (this.currentState) {
      case 'dialing':
      case 'greeting':
        if (this.dialer.hasStream && silentMs >= this.limits.dialTimeoutMs) {
          this.leaveStream('no answer', 'timeout', nowMs);
        }
        return;
      case 'loading':
      case 'following':
      case 'protecting':
        if (this.policy.isSilent(silentMs, this.limits)) {
          this.leaveStream('primary silent', 'timeout', nowMs);
        }
        return;
      default:
        return;
    }
  }

  private dial(nowMs: number): void {
    this.heardMs = nowMs;
    this.emit({ kind: 'dial', ...this.dialer.next() });
  }

  private acknowledge(waitsForMore: boolean, nowMs: number): void {
    if (!LISTENING.includes(this.currentState)) return this.acks.cancel();
    const { receivedSeq, durableSeq, replayedSeq } = this.position;
    if (waitsForMore || !this.acks.takes(replayedSeq, nowMs, this.limits)) return;
    const { stream } = this.dialer;
    const ack = { stream, epoch: this.epoch, receivedSeq, durableSeq, replayedSeq };
    this.emit({ kind: 'send-ack', ...ack });
  }

  /** This end gives the stream up. */
  private leaveStream(cause: string, reason: CloseReason, nowMs: number): void {
    this.emit({ kind: 'close-stream', stream: this.dialer.stream, reason });
    this.dialer.hasStream = false;
    this.losePrimary(cause, nowMs);
  }

  /** The stream is gone: a protecting backup arbitrates, any other dials again. */
  private losePrimary(cause: string, nowMs: number): void {
    const isProtecting = this.currentState === 'protecting';
    if (this.currentState === 'loading') this.position.drop();
    if (this.currentState !== 'dialing' && !isProtecting) this.transition('dialing', cause);
    if (this.policy.mayArbitrate(isProtecting)) return this.arbitrate(cause, nowMs);
    this.dialer.postpone(nowMs);
  }

  private arbitrate(cause: string, nowMs: number): void {
    this.transition('arbitrating', cause);
    const generation = this.epoch + 1n;
    this.arbitration = new Arbitration(generation, nowMs, this.limits);
    if (!this.policy.asksArbiter()) this.promote(generation);
  }

  private halt(cause: HaltCause, holder: Holder | null, reason: CloseReason | null): void {
    if (reason !== null && this.dialer.hasStream) {
      this.emit({ kind: 'close-stream', stream: this.dialer.stream, reason });
    }
    this.dialer.hasStream = false;
    this.arbitration = null;
    this.transition('halted', cause);
    this.emit({ kind: 'halt', cause, holder });
  }

  private transition(to: BackupState, cause: string): void {
    const from = this.currentState;
    assertTransition(BACKUP_TRANSITIONS, from, to);
    this.currentState = to;
    this.emit({ kind: 'transition', from, to, cause });
  }

  private emit(effect: BackupEffect): void {
    this.effects.push(effect);
  }
}
