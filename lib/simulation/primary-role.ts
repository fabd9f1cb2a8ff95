/**
 * A simulated primary: `PrimaryCore` around a guest that records.
 *
 * It does what primary/ does with sockets and threads: slices of execution, inputs at a step, the
 * log, output marks and the gate, disk requests, streams of backups.
 */

import { PrimaryCore } from '../protocol/primary-core.js';
import type { PrimaryEffect, PrimaryInput } from '../protocol/primary-contract.js';
import { Driver } from './driver.js';
import { ENTRY_BYTES, type Entry, type EntryKind, type Message, type Replica } from './entry.js';
import type { Stream } from './network.js';
import type { Process } from './process.js';
import type { Surroundings, TakeoverOrder } from './surroundings.js';
import { AckProgress } from './ack-progress.js';
import { ThrottleTurns } from './throttle-turns.js';

/** Slices between two comparisons of state. */
const SLICES_PER_HASH = 6;
/** Bytes that one item of output counts in the gate. */
const ITEM_BYTES = 64;
/** Time that one piece of a snapshot takes to leave. */
const CHUNK_MS = 2;
const MAX_INPUTS_PER_SLICE = 16;

type SendBatch = Extract<PrimaryEffect, { readonly kind: 'send-batch' }>;

type Arrival =
  | { readonly kind: 'input'; readonly client: number; readonly sequence: number }
  | { readonly kind: 'completion'; readonly request: number };

export class PrimaryRole {
  readonly kind = 'primary';
  readonly process: Process;
  readonly replica: Replica;
  readonly core: PrimaryCore;
  private readonly surroundings: Surroundings;
  private readonly driver: Driver<PrimaryInput, PrimaryEffect>;
  private readonly streams = new Map<number, Stream>();
  private nextSession = 1;
  private arrivals: Arrival[] = [];
  private recordedFrom: number | null = null;
  private hasMark = false;
  private slices = 0;
  private isRunning = false;
  private isPaused = false;
  private wantsPowerOff = false;
  private permille = 1000;
  private readonly blocked = new Set<number>();
  releasedOffset = 0;
  private speaksIn = 0n;
  readonly progress = new AckProgress();
  readonly throttleTurns = new ThrottleTurns();

  constructor(
    process: Process,
    surroundings: Surroundings,
    replica: Replica,
    takeover: TakeoverOrder | null,
  ) {
    const { configuration, rules } = surroundings;
    this.process = process;
    this.surroundings = surroundings;
    this.replica = replica;
    this.core = new PrimaryCore({
      limits: configuration.limits,
      ackMode: configuration.ackMode,
      backups: configuration.backups,
      takeover,
      policy: rules.primary,
    });
    this.driver = new Driver<PrimaryInput, PrimaryEffect>({
      process,
      surroundings,
      core: this.core,
      perform: (effect) => this.perform(effect),
      tick: (loopLagMs) => ({ kind: 'tick', loopLagMs }),
    });
    if (takeover !== null) this.reissue();
  }

  start(): void {
    this.driver.give({ kind: 'start' });
  }

  /** A backup's stream arrives. */
  accept(stream: Stream): void {
    const session = this.nextSession;
    this.nextSession += 1;
    this.progress.opened(session, this.streams, this.surroundings.agenda.nowMs);
    this.streams.set(session, stream);
    stream.ends[1] = {
      received: (message) => this.received(session, message),
      closed: () => {
        this.forget(session);
        this.driver.give({ kind: 'backup-closed', session });
      },
      blocked: (isBlocked) => {
        if (isBlocked) this.blocked.add(session);
        else this.blocked.delete(session);
        this.driver.give({ kind: isBlocked ? 'blocked' : 'writable', session });
      },
    };
  }

  /** A client sends a transaction and says which output it has. */
  request(client: number, sequence: number, offset: number): void {
    if (this.core.state === 'fenced' || !this.isRunning) return;
    const isWaiting = this.arrivals.some(
      (arrival) => arrival.kind === 'input' && arrival.client === client,
    );
    if (!isWaiting) this.arrivals.push({ kind: 'input', client, sequence });
    if (this.surroundings.rules.world.hostAnswersForGuest) {
      this.surroundings.answerClient(client, sequence);
    }
    if (offset < this.releasedOffset) this.emitFrom(offset, client);
  }

  powerOff(): void {
    this.wantsPowerOff = true;
  }

  private received(session: number, message: Message): void {
    switch (message.kind) {
      case 'hello': {
        const { retainedEntries, incompatibleNode } = this.surroundings.configuration;
        const isKept = this.replica.lastSeq - message.position <= retainedEntries;
        const node = this.streams.get(session)?.processes[0].node;
        this.driver.give({
          kind: 'backup-opened',
          session,
          purpose: message.purpose,
          position: BigInt(message.position),
          epoch: message.epoch,
          compatible: node !== incompatibleNode,
          resumable: isKept && this.replica.hasSame(message.position, message.chain),
        });
        return;
      }
      case 'ack': {
        this.progress.acked(session, message, this.surroundings.agenda.nowMs);
        this.driver.give({
          kind: 'ack',
          session,
          epoch: message.epoch,
          receivedSeq: message.receivedSeq,
          durableSeq: message.durableSeq,
          replayedSeq: message.replayedSeq,
          chainMatches: this.chainMatches(message),
        });
        return;
      }
      default:
        return;
    }
  }

  private chainMatches(ack: Extract<Message, { readonly kind: 'ack' }>): boolean {
    return ack.chain === null || this.replica.hasSame(Number(ack.receivedSeq), ack.chain);
  }

  private perform(effect: PrimaryEffect): void {
    const { surroundings, process } = this;
    switch (effect.kind) {
      case 'transition':
        return surroundings.observe.transition(process, 'primary', effect);
      case 'claim':
        surroundings.observe.claimed(process, effect.generation);
        return surroundings.claim(process, effect.generation, (answer) =>
          this.driver.give({ kind: 'claimed', generation: effect.generation, answer }),
        );
      case 'log-epoch':
        return this.logEpoch(effect.epoch);
      case 'release':
        return this.release(effect.throughSeq, effect.epoch);
      case 'resend':
        return this.resend(effect.afterSeq, effect.epoch);
      case 'set-throttle':
        this.permille = effect.permille;
        return this.throttleTurns.set(effect.permille, surroundings.agenda.nowMs);
      case 'pause-guest':
      case 'resume-guest':
        this.isPaused = effect.kind === 'pause-guest';
        return;
      case 'fence':
        return surroundings.exit(process, `fenced: ${effect.cause}`);
      case 'stop':
        return surroundings.exit(process, 'stopped');
      case 'announce':
      case 'trim':
        return;
      default:
        return this.performOnStream(effect);
    }
  }

  private performOnStream(effect: Extract<PrimaryEffect, { readonly session: number }>): void {
    const stream = this.streams.get(effect.session);
    if (stream === undefined) return;
    const { network } = this.surroundings;
    switch (effect.kind) {
      case 'answer-hello': {
        const { epoch, mode, seq } = effect;
        return network.send(stream, 1, { kind: 'answer', epoch, mode, seq: Number(seq) });
      }
      case 'stand-by':
        return network.send(stream, 1, { kind: 'wait', epoch: effect.epoch });
      case 'take-snapshot':
        return this.takeSnapshot(stream, effect.session);
      case 'send-batch': {
        this.progress.sent(effect.session, effect.lastSeq);
        const entries = this.replica.range(Number(effect.firstSeq), Number(effect.lastSeq));
        return this.sendBatches(stream, entries, effect);
      }
      case 'send-heartbeat': {
        const { epoch, lastSeq, releasedSeq } = effect;
        return network.send(stream, 1, { kind: 'heartbeat', epoch, lastSeq, releasedSeq });
      }
      case 'close-stream':
        this.forget(effect.session);
        return network.close(stream, 1, effect.reason);
    }
  }

  private forget(session: number): void {
    this.streams.delete(session);
    this.blocked.delete(session);
  }

  /** A batch of the core may be split at any entry. */
  private sendBatches(stream: Stream, entries: readonly Entry[], head: SendBatch): void {
    const { random, network } = this.surroundings;
    const { epoch, releasedSeq, counted } = head;
    const isCut = entries.length > 1 && random.chance(0.2);
    const cut = isCut ? random.between(1, entries.length - 1) : 0;
    for (const part of [entries.slice(0, cut), entries.slice(cut)]) {
      if (part.length === 0) continue;
      const batch = { epoch, entries: part, releasedSeq, counted, intact: true };
      network.send(stream, 1, { kind: 'batch', ...batch });
    }
  }

  private takeSnapshot(stream: Stream, session: number): void {
    const { network, configuration, rules } = this.surroundings;
    const state = this.replica.snapshot();
    if (!rules.world.snapshotsHoldRequests) state.guest.pending = [];
    const seq = state.baseSeq;
    if (configuration.snapshotFails) {
      return this.driver.give({ kind: 'snapshot-failed', session });
    }
    // The copy goes out while the guest runs on; entries after it wait in the core.
    const chunks = configuration.snapshotChunks;
    for (let chunk = 1; chunk <= chunks; chunk += 1) {
      this.process.after(chunk * CHUNK_MS, () => network.send(stream, 1, { kind: 'chunk' }));
    }
    this.process.after((chunks + 1) * CHUNK_MS, () => {
      if (this.streams.get(session) !== stream) return;
      network.send(stream, 1, { kind: 'snapshot', seq, state });
      this.driver.give({ kind: 'snapshot-taken', session, seq: BigInt(seq) });
    });
  }

  private logEpoch(epoch: bigint): void {
    this.record('epoch', Number(epoch), 0);
    this.tellRecorded();
    const seq = BigInt(this.replica.lastSeq);
    this.driver.give({ kind: 'epoch-logged', seq, epoch });
    if (this.isRunning) return;
    this.isRunning = true;
    // Output that replay regenerated beyond the last mark is new output of this epoch.
    this.markOutput();
    this.tellRecorded();
    this.process.after(this.surroundings.configuration.sliceMs, () => this.runSlice());
  }

  private runSlice(): void {
    const { configuration } = this.surroundings;
    const { guest } = this.replica;
    if (guest.isStopped || this.core.state === 'fenced') return;
    this.process.after(configuration.sliceMs, () => this.runSlice());
    if (this.isPaused) return;
    this.slices += 1;
    const steps = Math.max(1, Math.floor((configuration.stepsPerSlice * this.permille) / 1000));
    const endStep = guest.step + steps;
    const arrivals = this.arrivals.splice(0, MAX_INPUTS_PER_SLICE);
    const gap = Math.floor(steps / (arrivals.length + 1));
    for (const arrival of arrivals) {
      guest.runTo(guest.step + gap);
      this.applyArrival(arrival);
    }
    guest.runTo(endStep);
    if (this.wantsPowerOff) guest.switchOff();
    if (!this.markOutput()) this.record('horizon', 0, 0);
    if (this.slices % SLICES_PER_HASH === 0) this.record('state-hash', 0, guest.digest());
    if (guest.isStopped) this.record('power-off', 0, 0);
    this.tellRecorded();
    if (guest.isStopped) {
      this.driver.give({ kind: 'guest-stopped', seq: BigInt(this.replica.lastSeq) });
    }
  }

  private applyArrival(arrival: Arrival): void {
    const { guest } = this.replica;
    if (arrival.kind === 'completion') {
      guest.complete(arrival.request);
      this.record('completion', arrival.request, 0);
      return;
    }
    const { client, sequence } = arrival;
    guest.input(client, sequence, this.surroundings.rules.world.knowsClients);
    this.record('input', client, sequence);
    for (const request of guest.takeRequests()) this.issue(request.id);
  }

  private issue(request: number): void {
    this.process.after(this.surroundings.configuration.diskMs, () =>
      this.arrivals.push({ kind: 'completion', request }),
    );
  }

  /** In-flight requests: the log has no completion of them, so nobody knows whether they ran. */
  private reissue(): void {
    const { guest } = this.replica;
    const rule = this.surroundings.rules.world.reissues;
    guest.takeRequests();
    if (rule === 'none') return;
    for (const request of guest.pending) this.issue(request.id);
    if (rule === 'open') return;
    const completed = this.replica.log.findLast((entry) => entry.kind === 'completion');
    if (completed !== undefined) this.issue(completed.value);
  }

  private record(kind: EntryKind, value: number, detail: number): void {
    const { guest } = this.replica;
    const seq = this.replica.lastSeq + 1;
    this.recordedFrom ??= seq;
    if (kind === 'output-mark') this.hasMark = true;
    const after = guest.digest();
    this.replica.append({ seq, kind, step: guest.step, value, detail, after });
  }

  /** Marks output that has no mark yet; false if there is none. */
  private markOutput(): boolean {
    const offset = this.replica.guest.outputs.length;
    if (offset === (this.replica.marks.at(-1)?.offset ?? 0)) return false;
    this.record('output-mark', offset, 0);
    return true;
  }

  private tellRecorded(): void {
    const { recordedFrom, hasMark, replica } = this;
    if (recordedFrom === null) return;
    this.recordedFrom = null;
    this.hasMark = false;
    const lastSeq = replica.lastSeq;
    this.driver.give({
      kind: 'recorded',
      firstSeq: BigInt(recordedFrom),
      lastSeq: BigInt(lastSeq),
      bytes: (lastSeq - recordedFrom + 1) * ENTRY_BYTES,
      hasOutputMark: hasMark,
    });
    const mark = replica.marks.at(-1);
    if (!hasMark || mark === undefined) return;
    this.checkSent(mark.seq);
    const bytes = (mark.offset - replica.offsetAt(mark.seq - 1)) * ITEM_BYTES;
    this.driver.give({ kind: 'output', seq: BigInt(mark.seq), bytes });
  }

  /** An output mark is on its way before anything else happens. */
  private checkSent(seq: number): void {
    if (this.core.state !== 'protected' || this.blocked.size > 0) return;
    if (this.process.isRunning && !this.progress.hasSent(BigInt(seq))) {
      this.surroundings.violation(`the output mark ${seq} was not sent at once`);
    }
  }

  private release(throughSeq: bigint, epoch: bigint): void {
    const offset = this.replica.offsetAt(Number(throughSeq));
    this.speaksIn = epoch;
    if (offset <= this.releasedOffset) return;
    const from = this.releasedOffset;
    this.releasedOffset = offset;
    this.emitFrom(from, null);
  }

  private resend(afterSeq: bigint, epoch: bigint): void {
    const { replica } = this;
    this.speaksIn = epoch;
    const from = replica.offsetAt(Number(afterSeq));
    this.releasedOffset = replica.marks.at(-1)?.offset ?? 0;
    if (from < this.releasedOffset) this.emitFrom(from, null);
  }

  private emitFrom(offset: number, client: number | null): void {
    const items = this.replica.guest.outputs.slice(offset, this.releasedOffset);
    this.surroundings.emit(this.process, { epoch: this.speaksIn, offset, items }, client);
  }
}
