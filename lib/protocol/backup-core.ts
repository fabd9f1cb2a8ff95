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

import { assert, unreachable } from '../base/assert.js';
import type { Holder } from './arbiter.js';
import { Arbitration } from './arbitration.js';
import type { BackupEffect, BackupInput, BackupState, HaltCause } from './backup-contract.js';
import { BACKUP_POLICY } from './backup-policy.js';
import type { BackupPolicy } from './backup-policy.js';
import { BACKUP_TRANSITIONS, LISTENING } from './backup-states.js';
import { assertLimits, lagGrainMs } from './limits.js';
import type { PairLimits } from './limits.js';
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

/** Figures for metrics and status. */
export interface BackupFigures {
  readonly state: BackupState;
  readonly epoch: bigint;
  readonly receivedSeq: bigint;
  readonly replayedSeq: bigint;
  readonly durableSeq: bigint;
  /** Last entry the primary said it had recorded, and when that was heard. */
  readonly primarySeq: bigint;
  readonly heardMs: number;
}

type Input<Kind extends BackupInput['kind']> = Extract<BackupInput, { readonly kind: Kind }>;

export class BackupCore {
  private readonly limits: PairLimits;
  private readonly policy: BackupPolicy;
  private addresses: string[];

  private currentState: BackupState = 'dialing';
  /** Newest epoch this node knows; a primary of an older one is not followed. */
  private epoch: bigint;
  /** Epoch of the last `epoch` entry held. */
  private logEpoch: bigint;
  private receivedSeq: bigint;
  private replayedSeq: bigint;
  private durableSeq: bigint;
  private releasedSeq = 0n;
  private primarySeq = 0n;
  private powerOffSeq: bigint | null = null;

  private stream = 0;
  /** Whether `stream` was dialed and has not ended. */
  private hasStream = false;
  private dialAtMs = 0;
  private redialMs: number;
  private nextAddress = 0;
  private heardMs = 0;
  private steppedMs = 0;
  private isAckDue = false;
  private ackedMs = 0;
  private ackedReplaySeq = 0n;
  private arbitration: Arbitration | null = null;
  private effects: BackupEffect[] = [];

  constructor(options: BackupOptions) {
    assertLimits(options.limits);
    assert(options.addresses.length > 0, 'a backup needs the address of a primary');
    this.limits = options.limits;
    this.policy = options.policy ?? BACKUP_POLICY;
    this.addresses = [...options.addresses];
    this.epoch = options.logEpoch;
    this.logEpoch = options.logEpoch;
    this.receivedSeq = options.position;
    this.replayedSeq = options.position;
    this.durableSeq = options.position;
    this.redialMs = options.limits.redialMs;
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
    const effects = this.effects;
    this.effects = [];
    return effects;
  }

  /** When the next `tick` is due at the latest; Infinity if nothing waits for time. */
  wakeAtMs(): number {
    switch (this.currentState) {
      case 'dialing':
        return this.hasStream ? this.heardMs + this.limits.dialTimeoutMs : this.dialAtMs;
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
        if (this.replayedSeq <= this.ackedReplaySeq) return tickMs;
        return Math.min(tickMs, this.ackedMs + this.limits.ackProgressMs);
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
      receivedSeq: this.receivedSeq,
      replayedSeq: this.replayedSeq,
      durableSeq: this.durableSeq,
      primarySeq: this.primarySeq,
      heardMs: this.heardMs,
    };
  }

  private take(input: BackupInput, nowMs: number): void {
    if ('stream' in input && (input.stream !== this.stream || !this.hasStream)) return;
    switch (input.kind) {
      case 'start':
        this.dialAtMs = nowMs;
        return;
      case 'connected':
        return this.takeConnected(nowMs);
      case 'closed':
        return this.takeClosed(input.reason, nowMs);
      case 'redirected':
        if (input.primary !== null) this.preferAddress(input.primary);
        return this.takeClosed('not-primary', nowMs);
      case 'hello-answered':
        return this.takeHelloAnswered(input, nowMs);
      case 'snapshot-chunk':
        this.heardMs = nowMs;
        this.isAckDue = true;
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
        if (input.seq > this.durableSeq && input.seq <= this.receivedSeq) {
          this.durableSeq = input.seq;
          this.isAckDue = true;
        }
        return;
      case 'replayed':
        return this.takeReplayed(input.seq);
      case 'diverged':
        if (!this.policy.haltsOnDivergence()) return this.takeReplayed(input.seq);
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
      stream: this.stream,
      position: this.receivedSeq,
      epoch: this.epoch,
    });
  }

  private takeClosed(reason: CloseReason | null, nowMs: number): void {
    this.hasStream = false;
    const power = { powerOffSeq: this.powerOffSeq, releasedSeq: this.releasedSeq };
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
    this.redialMs = this.limits.redialMs;
    if (input.mode === 'snapshot') {
      this.dropState();
      this.transition('loading', 'snapshot follows');
      this.emit({ kind: 'load-snapshot', stream: this.stream });
      return;
    }
    if (input.seq !== this.receivedSeq) {
      return this.leaveStream(`resumed at ${input.seq}`, 'protocol-violation', nowMs);
    }
    this.ackedReplaySeq = 0n;
    this.isAckDue = true;
    this.transition('following', `resumes after ${input.seq}`);
  }

  private takeSnapshotLoaded(seq: bigint, nowMs: number): void {
    if (this.currentState !== 'loading') return;
    this.heardMs = nowMs;
    this.receivedSeq = seq;
    this.replayedSeq = seq;
    this.durableSeq = seq;
    // A primary takes a snapshot only after its epoch's opening entry.
    this.logEpoch = this.epoch;
    this.isAckDue = true;
    this.transition('following', `snapshot of ${seq} loaded`);
  }

  private takeBatch(input: Input<'batch'>, nowMs: number): void {
    if (this.currentState !== 'following' && this.currentState !== 'protecting') return;
    const fault = this.policy.batchFault(input, this.receivedSeq, this.epoch);
    if (fault !== null) return this.leaveStream(fault, 'protocol-violation', nowMs);
    this.heardMs = nowMs;
    this.receivedSeq = input.lastSeq;
    if (input.releasedSeq > this.releasedSeq) this.releasedSeq = input.releasedSeq;
    if (input.lastSeq > this.primarySeq) this.primarySeq = input.lastSeq;
    if (input.powerOffSeq !== null) this.powerOffSeq = input.powerOffSeq;
    this.emit({ kind: 'accept', firstSeq: input.firstSeq, lastSeq: input.lastSeq });
    this.isAckDue = true;
    for (const entry of input.epochs) this.takeEpochEntry(entry.epoch, entry.seq, nowMs);
  }

  private takeEpochEntry(epoch: bigint, seq: bigint, nowMs: number): void {
    if (epoch < this.logEpoch || epoch > this.epoch) {
      return this.leaveStream(`epoch entry ${epoch} at ${seq}`, 'protocol-violation', nowMs);
    }
    const isRepeated = epoch === this.logEpoch;
    this.logEpoch = epoch;
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
    if (input.releasedSeq > this.releasedSeq) this.releasedSeq = input.releasedSeq;
    if (input.lastSeq > this.primarySeq) this.primarySeq = input.lastSeq;
    this.isAckDue = true;
  }

  private takeReplayed(seq: bigint): void {
    assert(seq <= this.receivedSeq, `replayed ${seq}, received ${this.receivedSeq}`);
    if (seq > this.replayedSeq) this.replayedSeq = seq;
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
    const throughSeq = this.policy.drainTarget(this.receivedSeq, this.replayedSeq);
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
        releasedSeq: this.policy.resendAfter(this.releasedSeq, seq),
        guestStopped: this.powerOffSeq !== null,
      },
    });
  }

  /** What follows from the state after any input, in a fixed order. */
  private settle(input: BackupInput, nowMs: number): void {
    this.watchPrimary(nowMs);
    if (this.currentState === 'dialing' && !this.hasStream && nowMs >= this.dialAtMs) {
      this.dial(nowMs);
    }
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
        if (this.hasStream && silentMs >= this.limits.dialTimeoutMs) {
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
    const address = this.addresses[this.nextAddress % this.addresses.length];
    assert(address !== undefined, 'no address to dial');
    this.nextAddress += 1;
    this.stream += 1;
    this.hasStream = true;
    this.heardMs = nowMs;
    this.emit({ kind: 'dial', stream: this.stream, address });
  }

  private acknowledge(waitsForMore: boolean, nowMs: number): void {
    if (!LISTENING.includes(this.currentState)) {
      this.isAckDue = false;
      return;
    }
    const isProgressDue =
      this.replayedSeq > this.ackedReplaySeq && nowMs - this.ackedMs >= this.limits.ackProgressMs;
    if (waitsForMore || (!this.isAckDue && !isProgressDue)) return;
    this.isAckDue = false;
    this.ackedMs = nowMs;
    this.ackedReplaySeq = this.replayedSeq;
    this.emit({
      kind: 'send-ack',
      stream: this.stream,
      epoch: this.epoch,
      receivedSeq: this.receivedSeq,
      durableSeq: this.durableSeq,
      replayedSeq: this.replayedSeq,
    });
  }

  /** This end gives the stream up. */
  private leaveStream(cause: string, reason: CloseReason, nowMs: number): void {
    this.emit({ kind: 'close-stream', stream: this.stream, reason });
    this.hasStream = false;
    this.losePrimary(cause, nowMs);
  }

  /** The stream is gone: a protecting backup arbitrates, any other dials again. */
  private losePrimary(cause: string, nowMs: number): void {
    const isProtecting = this.currentState === 'protecting';
    if (this.currentState === 'loading') this.dropState();
    if (this.currentState !== 'dialing' && !isProtecting) this.transition('dialing', cause);
    if (this.policy.mayArbitrate(isProtecting)) return this.arbitrate(cause, nowMs);
    this.dialAtMs = nowMs + this.redialMs;
    this.redialMs = Math.min(this.redialMs * 2, this.limits.redialMaxMs);
  }

  private arbitrate(cause: string, nowMs: number): void {
    this.transition('arbitrating', cause);
    const generation = this.epoch + 1n;
    this.arbitration = new Arbitration(generation, nowMs, this.limits);
    if (!this.policy.asksArbiter()) this.promote(generation);
  }

  /** Nothing held is worth keeping: the next hello asks for everything. */
  private dropState(): void {
    this.receivedSeq = 0n;
    this.replayedSeq = 0n;
    this.durableSeq = 0n;
    this.logEpoch = 0n;
    this.releasedSeq = 0n;
    this.powerOffSeq = null;
    this.ackedReplaySeq = 0n;
  }

  private preferAddress(address: string): void {
    const others = this.addresses.filter((known) => known !== address);
    this.addresses = [address, ...others];
    this.nextAddress = 0;
  }

  private halt(cause: HaltCause, holder: Holder | null, reason: CloseReason | null): void {
    if (reason !== null && this.hasStream) {
      this.emit({ kind: 'close-stream', stream: this.stream, reason });
    }
    this.hasStream = false;
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
