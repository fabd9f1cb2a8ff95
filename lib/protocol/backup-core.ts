/**
 * The backup's role: following the log, detecting the primary's loss, arbitration, promotion.
 *
 * A pure state machine: `step(input, nowMs)` returns effects, and nothing here waits, sends or
 * reads a clock. The host gives `tick` when `wakeAtMs()` has come. The states and their diagram
 * stand in backup-states.ts.
 *
 * Invariant: replayed, durable <= received; entries are taken in batches, whole and without a
 * gap. Only `protecting` leads to the arbiter, and only the arbiter to `promoted`. A replica that
 * only verifies is never `protecting`.
 */

import { unreachable } from '../base/assert.js';
import { AckPacer } from './ack-pacer.js';
import type { Holder } from './arbiter.js';
import { Arbitration } from './arbitration.js';
import type {
  BackupEffect,
  BackupFigures,
  BackupInput,
  BackupOptions,
  BackupState,
  HaltCause,
} from './backup-contract.js';
import { BackupDialer } from './backup-dialer.js';
import { BACKUP_POLICY, type BackupPolicy } from './backup-policy.js';
import { BackupPosition } from './backup-position.js';
import { BACKUP_TRANSITIONS, HEARING, LISTENING } from './backup-states.js';
import { assertLimits, type PairLimits } from './limits.js';
import type { CloseReason } from './primary-contract.js';
import { StreamWatch } from './stream-watch.js';
import { assertTransition } from './transition.js';

type Input<Kind extends BackupInput['kind']> = Extract<BackupInput, { readonly kind: Kind }>;

export class BackupCore {
  private readonly limits: PairLimits;
  private readonly policy: BackupPolicy;
  private readonly dialer: BackupDialer;
  private readonly position: BackupPosition;
  private readonly options: BackupOptions;

  private currentState: BackupState = 'dialing';
  /** Newest epoch this node knows; a primary of an older one is not followed. */
  private epoch: bigint;
  private readonly watch: StreamWatch;
  private readonly acks = new AckPacer();
  private arbitration: Arbitration | null = null;
  private readonly effects: BackupEffect[] = [];

  constructor(options: BackupOptions) {
    assertLimits(options.limits);
    this.options = options;
    this.limits = options.limits;
    this.policy = options.policy ?? BACKUP_POLICY;
    this.watch = new StreamWatch(this.limits, this.policy);
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
    this.watch.step(nowMs, this.wakeAtMs(), input.kind === 'tick' ? input.loopLagMs : 0);
    this.take(input, nowMs);
    this.settle(input, nowMs);
    return this.effects.splice(0);
  }

  /** When the next `tick` is due at the latest; Infinity if nothing waits for time. */
  wakeAtMs(): number {
    switch (this.currentState) {
      case 'dialing':
        return this.dialer.hasStream ? this.watch.answerDueMs() : this.dialer.dueMs;
      case 'greeting':
        return this.watch.answerDueMs();
      case 'waiting':
        return this.watch.wakeAtMs();
      case 'loading':
      case 'following':
      case 'protecting': {
        const ackMs = this.acks.wakeAtMs(this.position.replayedSeq, this.limits);
        return Math.min(this.watch.wakeAtMs(), ackMs);
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
      ...this.position.watermarks(),
      heardMs: this.watch.heardMs,
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
      case 'told-to-wait':
        return this.takeWait(input.epoch, nowMs);
      case 'snapshot-chunk':
        this.watch.heardMs = nowMs;
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

  private takeConnected(nowMs: number): void {
    if (this.currentState !== 'dialing') return;
    this.watch.heardMs = nowMs;
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
    if (this.currentState !== 'dialing') {
      if (this.policy.endedInOrder(reason, this.position)) return this.halt('stopped', null, null);
      if (reason === 'incompatible') return this.halt('incompatible', null, null);
    }
    if (this.currentState === 'protecting' && !this.policy.suspectsClosedStream()) return;
    this.losePrimary(reason === null ? 'stream broken' : `stream closed: ${reason}`, nowMs);
  }

  /** Whether this primary is one to follow; its epoch is the newest known then. */
  private isWelcomedBy(epoch: bigint, nowMs: number): boolean {
    if (epoch < this.epoch) {
      this.leaveStream('primary of an older epoch', 'stale-epoch', nowMs);
      return false;
    }
    this.epoch = epoch;
    this.watch.heardMs = nowMs;
    this.dialer.welcomed();
    return true;
  }

  private takeWait(epoch: bigint, nowMs: number): void {
    if (this.currentState !== 'greeting' || !this.isWelcomedBy(epoch, nowMs)) return;
    this.transition('waiting', 'others protect');
  }

  private takeHelloAnswered(input: Input<'hello-answered'>, nowMs: number): void {
    if (this.currentState !== 'greeting' && this.currentState !== 'waiting') return;
    if (!this.isWelcomedBy(input.epoch, nowMs)) return;
    if (input.mode === 'snapshot') {
      this.position.drop();
      this.transition('loading', 'snapshot follows');
      this.emit({ kind: 'load-snapshot', stream: this.dialer.stream });
      return;
    }
    if (input.seq !== this.position.receivedSeq || this.currentState === 'waiting') {
      return this.leaveStream(`resumed at ${input.seq}`, 'protocol-violation', nowMs);
    }
    this.acks.restart();
    this.transition('following', `resumes after ${input.seq}`);
  }

  private takeSnapshotLoaded(seq: bigint, nowMs: number): void {
    if (this.currentState !== 'loading') return;
    this.watch.heardMs = nowMs;
    // A primary takes a snapshot only after its epoch's opening entry.
    this.position.loaded(seq, this.epoch);
    this.acks.restart();
    this.transition('following', `snapshot of ${seq} loaded`);
  }

  private takeBatch(input: Input<'batch'>, nowMs: number): void {
    if (this.currentState !== 'following' && this.currentState !== 'protecting') return;
    this.raiseEpoch(input.epoch);
    const fault = this.policy.batchFault(input, this.position.receivedSeq, this.epoch);
    if (fault !== null) return this.leaveStream(fault, 'protocol-violation', nowMs);
    this.watch.heardMs = nowMs;
    this.position.received(input);
    this.emit({ kind: 'accept', firstSeq: input.firstSeq, lastSeq: input.lastSeq });
    this.acks.demand();
    const session = { epoch: this.epoch, counted: input.counted };
    for (const { epoch, seq } of input.epochs) {
      const meaning = this.position.epochEntry(epoch, session, this.policy);
      if (meaning === 'wrong') {
        return this.leaveStream(`epoch entry ${epoch} at ${seq}`, 'protocol-violation', nowMs);
      }
      const isProtected = meaning === 'protects' && this.options.purpose !== 'verify';
      if (isProtected && this.currentState === 'following') {
        this.transition('protecting', `protection entry ${seq}`);
      }
    }
  }

  /**
   * The primary goes on in a newer epoch, which it alone may have: what was promised in the old one
   * ends. Its entries follow, protection among them.
   */
  private raiseEpoch(epoch: bigint): void {
    if (epoch <= this.epoch) return;
    this.epoch = epoch;
    if (this.currentState === 'protecting' && this.policy.promiseEndsWithEpoch()) {
      this.transition('following', `the primary goes on in epoch ${epoch}`);
    }
  }

  private takeHeartbeat(input: Input<'heartbeat'>, nowMs: number): void {
    if (!HEARING.includes(this.currentState)) return;
    this.raiseEpoch(input.epoch);
    if (input.epoch !== this.epoch) {
      return this.leaveStream(`heartbeat of ${input.epoch}`, 'protocol-violation', nowMs);
    }
    this.watch.heardMs = nowMs;
    this.position.heard(input);
    this.acks.demand();
  }

  private takeClaimed(input: Input<'claimed'>, nowMs: number): void {
    const arbitration = this.arbitration;
    if (arbitration === null || arbitration.generation !== input.generation) return;
    switch (this.policy.verdict(input.answer)) {
      case 'promote':
        return this.promote(input.generation);
      case 'halt':
        return this.takeLost(input, nowMs);
      case 'retry':
        return arbitration.postpone(nowMs);
    }
  }

  /** Somebody else goes on. That is certain now, so nothing forbids to follow. */
  private takeLost({ generation, answer }: Input<'claimed'>, nowMs: number): void {
    const holder = answer.outcome === 'lost' ? answer.holder : null;
    if (this.options.rejoins !== true || holder === null)
      return this.halt('lost-arbitration', holder, null);
    this.arbitration = null;
    this.epoch = generation;
    this.dialer.prefer(holder.address);
    this.dialer.dueMs = nowMs;
    this.transition('dialing', `${holder.address} won generation ${generation}`);
  }

  private promote(generation: bigint): void {
    this.arbitration = null;
    this.epoch = this.policy.takeoverEpoch(generation);
    this.transition('promoting', `won generation ${generation}`);
    const { receivedSeq, replayedSeq } = this.position;
    const throughSeq = this.policy.drainTarget(receivedSeq, replayedSeq);
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
    const isDialed = this.currentState === 'dialing' && this.dialer.hasStream;
    if (isDialed || this.currentState === 'greeting') {
      if (this.watch.isUnanswered(nowMs)) this.leaveStream('no answer', 'timeout', nowMs);
    } else if (HEARING.includes(this.currentState) && this.watch.isSilent(nowMs)) {
      this.leaveStream('primary silent', 'timeout', nowMs);
    }
  }

  private dial(nowMs: number): void {
    this.watch.heardMs = nowMs;
    this.emit({ kind: 'dial', ...this.dialer.next() });
  }

  private acknowledge(waitsForMore: boolean, nowMs: number): void {
    if (!LISTENING.includes(this.currentState)) return this.acks.cancel();
    const { receivedSeq, durableSeq, replayedSeq } = this.position;
    if (waitsForMore || !this.acks.takes(replayedSeq, nowMs, this.limits)) return;
    const { stream } = this.dialer;
    this.emit({
      kind: 'send-ack',
      stream,
      epoch: this.epoch,
      receivedSeq,
      durableSeq,
      replayedSeq,
    });
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
