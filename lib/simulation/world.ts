/**
 * One simulated world: nodes, network, arbiter, clients, faults and checkers, from one seed.
 *
 * Everything happens in one thread in the order of the agenda, so a seed always gives the same
 * history; the digest of its trace proves it.
 */

import { assert, present } from '../base/assert.js';
import type { ArbiterAnswer } from '../protocol/arbiter.js';
import { Agenda } from './agenda.js';
import { BackupRole } from './backup-role.js';
import { Losers } from './checkers/arbitration.js';
import { checkQueues } from './checkers/bounded-queues.js';
import { checkReplayed } from './checkers/equal-state.js';
import { Liveness } from './checkers/liveness.js';
import { OneVoice } from './checkers/one-voice.js';
import { checkOutput, checkTransactions } from './checkers/output-safety.js';
import {
  checkHearing,
  checkStalled,
  checkSuspicion,
  checkThrottle,
} from './checkers/promptness.js';
import { TruthfulStatus } from './checkers/truthful-status.js';
import type { View } from './checkers/view.js';
import { Audience } from './audience.js';
import type { Client, Heard } from './client.js';
import type { Configuration } from './configuration.js';
import { Replica, type Entry } from './entry.js';
import type { Fault } from './faults.js';
import { Guest, mix } from './guest.js';
import { Nemesis } from './nemesis.js';
import { Network, type Stream } from './network.js';
import type { SimulatedNode } from './node.js';
import { PrimaryRole } from './primary-role.js';
import { Process } from './process.js';
import { Random } from './random.js';
import { SimulatedArbiter } from './simulated-arbiter.js';
import type { Emission, Rules, Surroundings, TakeoverOrder, Transition } from './surroundings.js';

/** Streams of randomness by purpose; see random.ts. */
const STREAM_OF_NETWORK = 2;
const STREAM_OF_ARBITER = 3;
const STREAM_OF_ROLES = 4;
const STREAM_OF_CLOCKS = 5;

const SAMPLE_MS = 25;

/** Epoch that a node of a previous life has in its files. */
const ELDER_EPOCH = 9n;

export type Outcome =
  /** Everything works again after the faults. */
  | 'served'
  /** Faults took every copy that could go on; nobody speaks. */
  | 'lost'
  /** The guest switched off. */
  | 'stopped';

export interface Result {
  readonly seed: number;
  readonly outcome: Outcome;
  readonly violations: readonly string[];
  /** Of the whole trace. */
  readonly digest: number;
  readonly actions: number;
  readonly simulatedMs: number;
  readonly failovers: number;
  readonly transactions: number;
  readonly transitions: ReadonlySet<string>;
}

export class World implements Surroundings, View {
  readonly agenda = new Agenda();
  readonly network: Network;
  readonly arbiter: SimulatedArbiter;
  readonly random: Random;
  readonly configuration: Configuration;
  readonly rules: Rules;
  private readonly audience: Audience;
  private readonly nemesis: Nemesis;
  readonly observe = this;
  private readonly clocks: Random;
  private readonly nodes: readonly SimulatedNode[];
  private readonly oneVoice = new OneVoice();
  private readonly losers = new Losers();
  private readonly status = new TruthfulStatus();
  private readonly liveness = new Liveness();
  private readonly found: string[] = [];
  private readonly transitions = new Set<string>();
  private readonly print: ((line: string) => void) | null;
  private traceDigest = 0;
  private failovers = 0;
  private stoppedAtMs = Infinity;
  private protectedSinceMs = Infinity;
  private outcome: Outcome | null = null;

  constructor(configuration: Configuration, rules: Rules, print: ((line: string) => void) | null) {
    const { seed, nodes } = configuration;
    this.configuration = configuration;
    this.rules = rules;
    this.print = print;
    this.random = new Random(seed, STREAM_OF_ROLES);
    this.clocks = new Random(seed, STREAM_OF_CLOCKS);
    this.network = new Network(this.agenda, new Random(seed, STREAM_OF_NETWORK), configuration);
    this.arbiter = new SimulatedArbiter({
      agenda: this.agenda,
      random: new Random(seed, STREAM_OF_ARBITER),
      delayMs: configuration.arbiterDelayMs,
      forgets: rules.world.arbiterForgets,
      staleGenerations: configuration.staleGenerations,
    });
    this.nodes = Array.from({ length: nodes }, (_, id) => ({
      id,
      lives: 0,
      role: null,
      isIsolated: false,
      strike: null,
    }));
    this.audience = new Audience({
      agenda: this.agenda,
      configuration,
      nodes: this.nodes,
      fences: rules.world.sinksFence,
      violation: (what) => this.violation(what),
      advanced: (client) => this.digest(30, client.sequence),
    });
    this.nemesis = new Nemesis({
      agenda: this.agenda,
      network: this.network,
      arbiter: this.arbiter,
      nodes: this.nodes,
      kill: (node) => this.crash(node),
      pause: (process, forMs) => this.pause(process, forMs),
    });
  }

  /** Runs to the end, or to the first violation. */
  run(): Result {
    const { configuration, agenda } = this;
    this.startPrimary();
    for (const node of this.nodes.slice(1)) {
      agenda.after(this.random.span(0, 150), () => this.startBackup(node));
    }
    if (configuration.elderAtMs !== Infinity) {
      agenda.at(configuration.elderAtMs, () => this.crash(this.node(configuration.nodes - 1)));
    }
    this.audience.start();
    for (const fault of configuration.faults) agenda.at(fault.atMs, () => this.strike(fault));
    if (configuration.powerOffAtMs !== Infinity) {
      agenda.at(configuration.powerOffAtMs, () => this.powerOff());
    }
    agenda.at(configuration.healAtMs, () => this.heal());
    this.sample();
    const isOver = (): boolean => this.found.length > 0 || this.outcome !== null;
    agenda.run(configuration.endAtMs, isOver);
    if (this.found.length === 0 && this.outcome === null) this.conclude();
    return this.result();
  }

  result(): Result {
    const { configuration, agenda } = this;
    return {
      seed: configuration.seed,
      outcome: this.outcome ?? 'lost',
      violations: this.found,
      digest: this.traceDigest,
      actions: agenda.done,
      simulatedMs: agenda.nowMs,
      failovers: this.failovers,
      transactions: this.clients.reduce((sum, client) => sum + client.acknowledged, 0),
      transitions: this.transitions,
    };
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  get heard(): Heard {
    return this.audience.heard;
  }

  get clients(): readonly Client[] {
    return this.audience.clients;
  }

  get primaries(): readonly PrimaryRole[] {
    return this.nodes.flatMap(({ role }) => (role?.kind === 'primary' ? [role] : []));
  }

  get backups(): readonly BackupRole[] {
    return this.nodes.flatMap(({ role }) => (role?.kind === 'backup' ? [role] : []));
  }

  violation(what: string): void {
    this.found.push(what);
    this.line('VIOLATION', what);
  }

  trace(process: Process, code: number, text: () => string): void {
    this.digest(code, process.node);
    if (this.print !== null) this.line(process.name, text());
  }

  mayPerform(process: Process, effect: string): boolean {
    const node = this.node(process.node);
    const { strike } = node;
    if (strike?.effect !== effect) return true;
    node.strike = null;
    this.trace(process, 10, () => `struck before ${effect}`);
    if (strike.pauseForMs === 0) this.crash(node);
    else this.pause(process, strike.pauseForMs);
    return false;
  }

  claim(process: Process, generation: bigint, answer: (answer: ArbiterAnswer) => void): void {
    this.arbiter.claim(process, generation, (told) => {
      this.trace(process, 11, () => `arbiter on generation ${generation}: ${told.outcome}`);
      this.losers.answered(process, generation, told);
      answer(told);
    });
  }

  dial(process: Process, address: string, answer: (stream: Stream | null) => void): void {
    const listener = this.node(Number(address.slice(1)));
    const target = listener.role?.process ?? null;
    this.network.dial(process, target, (stream) => {
      answer(stream);
      if (stream === null) return;
      const { role } = listener;
      if (role?.kind === 'primary' && role.process === target) return role.accept(stream);
      this.network.close(stream, 1, 'not-primary');
    });
  }

  emit(process: Process, emission: Emission, only: number | null): void {
    if (this.outcome !== null) return;
    this.oneVoice.emitted(this, process, emission.epoch);
    this.digest(12, emission.offset);
    this.audience.hear(this.node(process.node), emission, only);
  }

  answerClient(id: number, sequence: number): void {
    this.audience.answer(id, sequence);
  }

  exit(process: Process, cause: string): void {
    this.trace(process, 13, () => `exits, ${cause}`);
    if (cause === 'stopped' && this.primaries.some((role) => role.process === process)) {
      this.stoppedAtMs = this.nowMs;
      this.audience.leave();
    }
    const node = this.node(process.node);
    node.role = null;
    process.end();
    this.network.processEnded(process);
    if (cause !== 'halted: incompatible') this.restart(node);
  }

  becomePrimary(process: Process, takeover: TakeoverOrder): void {
    const node = this.node(process.node);
    const { role } = node;
    assert(role?.kind === 'backup', 'only a backup is promoted');
    this.failovers += 1;
    node.role = new PrimaryRole(process, this, role.replica, takeover);
    node.role.start();
  }

  transition(process: Process, kind: 'primary' | 'backup', change: Transition): void {
    this.transitions.add(`${kind}: ${change.from} -> ${change.to}`);
    this.trace(process, 1, () => `${kind} ${change.from} -> ${change.to}, ${change.cause}`);
    const { role } = this.node(process.node);
    if (kind === 'backup') return this.losers.changed(role, change.to);
    this.protectedSinceMs = change.to === 'protected' ? this.nowMs : Infinity;
    if (role?.kind === 'primary') checkStalled(this, role, change.cause);
  }

  replayed(process: Process, replica: Replica, entry: Entry): void {
    checkReplayed(this, process, replica, entry);
  }

  claimed(process: Process, generation: bigint): void {
    this.losers.claimed(this, process, generation);
  }

  promoted(process: Process, replica: Replica, epoch: bigint): void {
    this.trace(process, 14, () => `promoted in epoch ${epoch} at entry ${replica.lastSeq}`);
    if (replica.isFlipped) {
      // Until the next comparison a flipped bit can't be seen; what it says is not promised.
      this.outcome = 'lost';
      return;
    }
    checkOutput(this, replica, process.name);
    checkTransactions(this, replica, process.name);
  }

  suspected(process: Process, stream: Stream): void {
    checkSuspicion(this, process, stream);
  }

  private node(id: number): SimulatedNode {
    return present(this.nodes[id], `node ${id}`);
  }

  private newProcess(node: SimulatedNode): Process {
    node.lives += 1;
    const clock = { offsetMs: this.clocks.span(0, 1e6), rate: this.clocks.span(0.99, 1.01) };
    return new Process(this.agenda, { node: node.id, life: node.lives }, clock);
  }

  private startPrimary(): void {
    const node = this.node(0);
    const role = new PrimaryRole(this.newProcess(node), this, new Replica(new Guest()), null);
    node.role = role;
    role.start();
  }

  private startBackup(node: SimulatedNode): void {
    if (node.role !== null || this.nowMs > this.stoppedAtMs) return;
    const addresses = this.nodes.filter((other) => other !== node).map(({ id }) => `n${id}`);
    const isElder = node.id > 0 && this.nowMs >= this.configuration.elderAtMs;
    const logEpoch = isElder ? ELDER_EPOCH : 0n;
    const purpose = node.id === this.configuration.verifier ? 'verify' : 'protect';
    const origin = { purpose, addresses, logEpoch } as const;
    const role = new BackupRole(this.newProcess(node), this, origin);
    this.trace(role.process, 15, () => `starts as backup, to ${purpose}`);
    node.role = role;
    role.start();
  }

  private restart(node: SimulatedNode): void {
    this.agenda.after(this.configuration.restartMs, () => this.startBackup(node));
  }

  private strike(fault: Fault): void {
    this.digest(20, fault.atMs);
    this.line('fault', JSON.stringify(fault));
    this.nemesis.strike(fault);
  }

  private crash(node: SimulatedNode): void {
    const { role } = node;
    if (role === null) return;
    this.status.check(this);
    this.trace(role.process, 21, () => 'killed');
    node.role = null;
    role.process.end();
    this.network.processEnded(role.process);
    this.restart(node);
  }

  private pause(process: Process, forMs: number): void {
    this.trace(process, 22, () => `stopped for ${Math.round(forMs)} ms`);
    process.pause();
    this.agenda.after(forMs, () => process.resume());
  }

  private powerOff(): void {
    for (const primary of this.primaries) primary.powerOff();
  }

  /** All faults end; what is down comes back. */
  private heal(): void {
    this.line('world', 'heals');
    this.nemesis.heal();
    this.liveness.faultsEnded(this);
  }

  private sample(): void {
    this.agenda.after(SAMPLE_MS, () => this.sample());
    this.status.check(this);
    checkQueues(this);
    const isCalm = this.configuration.faults.length === 0;
    for (const primary of this.primaries) {
      checkHearing(this, primary);
      if (isCalm) checkThrottle(this, primary, this.protectedSinceMs);
    }
    if (this.found.length === 0 && this.liveness.isReached(this)) {
      this.conclude();
      this.outcome = 'served';
    }
    if (this.nowMs > this.stoppedAtMs + 500) this.outcome = 'stopped';
  }

  private conclude(): void {
    this.liveness.conclude(this, this.stoppedAtMs !== Infinity);
  }

  private digest(code: number, value: number): void {
    this.traceDigest = mix(this.traceDigest, code);
    this.traceDigest = mix(this.traceDigest, value | 0);
    this.traceDigest = mix(this.traceDigest, Math.floor(this.nowMs * 1000) | 0);
  }

  private line(who: string, what: string): void {
    this.print?.(`${this.nowMs.toFixed(3).padStart(10)}  ${who.padEnd(9)}  ${what}`);
  }
}
