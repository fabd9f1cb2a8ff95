/**
 * A simulated backup: `BackupCore` around a guest that replays.
 *
 * It does what backup/ does with sockets and threads: streams, snapshots, the log, replay at its
 * own speed up to the last entry, comparison of state, the drain before promotion.
 */

import { BackupCore } from '../protocol/backup-core.js';
import type { CloseReason, Purpose } from '../protocol/primary-contract.js';
import type { BackupEffect, BackupInput } from '../protocol/backup-contract.js';
import { Driver } from './driver.js';
import { Replica } from './entry.js';
import type { Entry, Message } from './entry.js';
import { Guest, GuestFault } from './guest.js';
import type { Stream } from './network.js';
import type { Process } from './process.js';
import type { Surroundings } from './surroundings.js';

const REPLAY_SLICE_MS = 4;

export class BackupRole {
  readonly kind = 'backup';
  readonly process: Process;
  readonly core: BackupCore;
  replica = new Replica(new Guest());
  private readonly purpose: Purpose;
  private readonly surroundings: Surroundings;
  private readonly driver: Driver<BackupInput, BackupEffect>;
  private stream: { readonly number: number; readonly stream: Stream } | null = null;
  private leftStream = 0;
  private arriving: readonly Entry[] = [];
  private replayedSeq = 0;
  private isReplaying = false;
  private drainSeq: bigint | null = null;
  private diverged = false;
  private isReplayStuck = false;
  private spokenOffset = 0;

  constructor(
    process: Process,
    surroundings: Surroundings,
    origin: {
      readonly purpose: Purpose;
      readonly addresses: readonly string[];
      readonly logEpoch: bigint;
    },
  ) {
    const { configuration, rules } = surroundings;
    this.process = process;
    this.surroundings = surroundings;
    this.purpose = origin.purpose;
    this.core = new BackupCore({
      limits: configuration.limits,
      purpose: origin.purpose,
      rejoins: configuration.rejoins,
      addresses: origin.addresses,
      position: 0n,
      logEpoch: origin.logEpoch,
      policy: rules.backup,
    });
    this.driver = new Driver<BackupInput, BackupEffect>({
      process,
      surroundings,
      core: this.core,
      perform: (effect) => this.perform(effect),
      tick: (loopLagMs) => ({ kind: 'tick', loopLagMs }),
    });
  }

  start(): void {
    this.driver.give({ kind: 'start' });
  }

  /** Whether comparison has found a difference. */
  get isDiverged(): boolean {
    return this.diverged;
  }

  private perform(effect: BackupEffect): void {
    const { surroundings, process } = this;
    switch (effect.kind) {
      case 'transition':
        surroundings.observe.transition(process, 'backup', effect);
        return;
      case 'dial':
        return surroundings.dial(process, effect.address, (stream) =>
          this.dialed(effect.stream, stream),
        );
      case 'send-hello':
        return this.send({
          kind: 'hello',
          purpose: this.purpose,
          position: Number(effect.position),
          epoch: effect.epoch,
          chain: this.replica.entry(Number(effect.position)),
        });
      case 'load-snapshot':
        this.replica = new Replica(new Guest());
        this.replayedSeq = 0;
        return;
      case 'send-ack': {
        const { epoch, receivedSeq, durableSeq, replayedSeq } = effect;
        const chain = this.replica.entry(Number(receivedSeq));
        return this.send({ kind: 'ack', epoch, receivedSeq, durableSeq, replayedSeq, chain });
      }
      case 'accept':
        return this.accept(effect.lastSeq);
      case 'close-stream':
        this.leftStream = effect.stream;
        if (this.stream?.number === effect.stream) {
          if (effect.reason === 'timeout' && this.core.state === 'arbitrating') {
            surroundings.observe.suspected(process, this.stream.stream);
          }
          surroundings.network.close(this.stream.stream, 0, effect.reason);
          this.stream = null;
        }
        return;
      case 'claim':
        surroundings.observe.claimed(process, effect.generation);
        return surroundings.claim(process, effect.generation, (answer) =>
          this.driver.give({ kind: 'claimed', generation: effect.generation, answer }),
        );
      case 'drain':
        this.drainSeq = effect.throughSeq;
        return this.finishDrain();
      case 'become-primary':
        this.driver.end();
        surroundings.observe.promoted(process, this.replica, effect.takeover.epoch);
        if (this.diverged) surroundings.violation('a diverged replica was promoted');
        return surroundings.becomePrimary(process, effect.takeover);
      case 'halt':
        return surroundings.exit(process, `halted: ${effect.cause}`);
    }
  }

  private dialed(number: number, stream: Stream | null): void {
    if (stream === null) {
      return this.driver.give({ kind: 'closed', stream: number, reason: null });
    }
    // The core may have given up waiting in the meantime.
    if (number <= this.leftStream) return this.surroundings.network.close(stream, 0, null);
    this.stream = { number, stream };
    stream.ends[0] = {
      received: (message) => this.received(number, message),
      closed: (reason) => {
        this.driver.give({ kind: 'closed', stream: number, reason });
        if (this.stream?.number === number) this.checkClosed(reason);
      },
      blocked: () => undefined,
    };
    this.driver.give({ kind: 'connected', stream: number });
  }

  /** What a closed stream must lead to at once. */
  private checkClosed(reason: CloseReason | null): void {
    const { state } = this.core;
    if (!this.process.isRunning) return;
    if (reason === null && state === 'protecting') {
      this.surroundings.violation('a backup saw its stream break and did not go to the arbiter');
    }
    if (reason === 'stopped' && state !== 'halted') {
      this.surroundings.violation('a backup goes on with a machine that was switched off');
    }
  }

  private received(stream: number, message: Message): void {
    switch (message.kind) {
      case 'answer': {
        const { epoch, mode, seq } = message;
        return this.driver.give({ kind: 'hello-answered', stream, epoch, mode, seq: BigInt(seq) });
      }
      case 'wait':
        return this.driver.give({ kind: 'told-to-wait', stream, epoch: message.epoch });
      case 'chunk':
        return this.driver.give({ kind: 'snapshot-chunk', stream });
      case 'snapshot':
        this.replica = message.state;
        this.replayedSeq = message.seq;
        return this.driver.give({ kind: 'snapshot-loaded', stream, seq: BigInt(message.seq) });
      case 'batch':
        return this.receivedBatch(stream, message);
      case 'heartbeat': {
        const { epoch, lastSeq, releasedSeq } = message;
        return this.driver.give({ kind: 'heartbeat', stream, epoch, lastSeq, releasedSeq });
      }
      default:
        return;
    }
  }

  private receivedBatch(
    stream: number,
    message: Extract<Message, { readonly kind: 'batch' }>,
  ): void {
    const { entries } = message;
    const first = entries[0];
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return;
    this.arriving = entries;
    const powerOff = entries.find((entry) => entry.kind === 'power-off');
    this.driver.give({
      kind: 'batch',
      stream,
      epoch: message.epoch,
      firstSeq: BigInt(first.seq),
      lastSeq: BigInt(last.seq),
      releasedSeq: message.releasedSeq,
      counted: message.counted,
      intact: message.intact,
      epochs: entries
        .filter((entry) => entry.kind === 'epoch')
        .map((entry) => ({ seq: BigInt(entry.seq), epoch: BigInt(entry.value) })),
      powerOffSeq: powerOff === undefined ? null : BigInt(powerOff.seq),
      more: this.surroundings.random.chance(0.1) && last.kind === 'horizon',
    });
  }

  private accept(lastSeq: bigint): void {
    for (const entry of this.arriving) this.replica.append(entry);
    this.arriving = [];
    const { configuration } = this.surroundings;
    if (configuration.ackMode === 'durable') {
      this.process.after(configuration.diskMs, () =>
        this.driver.give({ kind: 'durable', seq: lastSeq }),
      );
    }
    this.planReplay();
  }

  private planReplay(): void {
    if (this.isReplaying || this.isReplayStuck) return;
    this.isReplaying = true;
    this.process.after(REPLAY_SLICE_MS, () => {
      this.isReplaying = false;
      this.replay();
    });
  }

  private replay(): void {
    const { configuration, agenda } = this.surroundings;
    const isSlow = agenda.nowMs < configuration.slowUntilMs;
    const rate = isSlow ? configuration.slowReplayRate : configuration.replayRate;
    const stepsPerMs = configuration.stepsPerSlice / configuration.sliceMs;
    const budget = Math.ceil(stepsPerMs * REPLAY_SLICE_MS * rate);
    const before = this.replayedSeq;
    try {
      const isDone = this.replayUntil(this.replica.guest.step + budget);
      if (!isDone) this.planReplay();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      this.diverge(error.message);
    }
    if (this.replayedSeq > before && !this.isReplayStuck) {
      this.driver.give({ kind: 'replayed', seq: BigInt(this.replayedSeq) });
    }
    this.finishDrain();
  }

  /** Replays within a budget of steps; true if nothing is left. */
  private replayUntil(endStep: number): boolean {
    for (;;) {
      const entry = this.replica.entry(this.replayedSeq + 1);
      const { guest } = this.replica;
      if (entry === null) {
        const beyond = this.surroundings.rules.world.stepsBeyondHorizon;
        if (beyond > 0) guest.runTo(guest.step + beyond);
        return true;
      }
      if (entry.step > endStep) {
        guest.runTo(Math.max(guest.step, endStep));
        return false;
      }
      guest.runTo(entry.step);
      this.apply(entry);
      if (this.isReplayStuck) return true;
      this.replayedSeq = entry.seq;
      this.surroundings.observe.replayed(this.process, this.replica, entry);
      this.speakIfPlanted();
    }
  }

  private apply(entry: Entry): void {
    const { guest } = this.replica;
    switch (entry.kind) {
      case 'input':
        return guest.input(entry.value, entry.detail, this.surroundings.rules.world.knowsClients);
      case 'completion':
        return guest.complete(entry.value);
      case 'state-hash':
        if (guest.digest() !== entry.detail) this.diverge(`state differs at ${entry.seq}`);
        return;
      case 'output-mark':
        if (entry.value !== guest.outputs.length && !guest.isStopped) this.switchOffAt(entry);
        return;
      case 'epoch':
      case 'horizon':
      case 'power-off':
        return;
    }
  }

  /** The last mark of a machine that is switched off covers what that makes it say. */
  private switchOffAt(mark: Entry): void {
    const { guest } = this.replica;
    guest.switchOff();
    if (mark.value !== guest.outputs.length) this.diverge(`output differs at ${mark.seq}`);
  }

  private diverge(what: string): void {
    this.diverged = true;
    this.isReplayStuck = true;
    this.surroundings.trace(this.process, 3, () => `diverged: ${what}`);
    if (!this.replica.isFlipped) this.surroundings.violation(`a replica diverged: ${what}`);
    this.driver.give({ kind: 'diverged', seq: BigInt(this.replayedSeq + 1) });
    if (this.core.state !== 'halted') this.isReplayStuck = false;
  }

  private finishDrain(): void {
    if (this.drainSeq === null || BigInt(this.replayedSeq) < this.drainSeq) return;
    const seq = this.drainSeq;
    this.drainSeq = null;
    // What was received beyond the drained entry is not part of the new primary's history.
    this.replica.log.length = Number(seq) - this.replica.baseSeq;
    this.replica.marks = this.replica.marks.filter((mark) => BigInt(mark.seq) <= seq);
    this.driver.give({ kind: 'drained', seq });
  }

  private speakIfPlanted(): void {
    if (this.surroundings.rules.world.backupIsMute) return;
    const { outputs } = this.replica.guest;
    const items = outputs.slice(this.spokenOffset);
    const { epoch } = this.core.figures();
    if (items.length === 0) return;
    this.surroundings.emit(this.process, { epoch, offset: this.spokenOffset, items }, null);
    this.spokenOffset = outputs.length;
  }

  private send(message: Message): void {
    if (this.stream !== null) this.surroundings.network.send(this.stream.stream, 0, message);
  }
}
