/**
 * A tiny deterministic machine that keeps the contract of `lib/machine/machine.ts`, so that
 * sessions, hosts, the pair and the simulator can be tested in microseconds.
 *
 * Its guest is a ledger. It reads lines from the uart and answers each number with
 * "COUNT NUMBER TOTAL"; it never deduplicates, so a lost or doubled line shows in every answer
 * that follows. It has a periodic timer interrupt, asks for entropy after every eighth number,
 * scribbles over RAM as it works, and parks when there is nothing to do. Other lines:
 *
 *   spin N     works for N steps      print N    prints N lines of 64 bytes, one a step
 *   off        powers off             exit N     stops with status N
 *
 * Like the real machine it keeps all state in words and pages, stops exactly at any step, and its
 * result does not depend on how a run is cut into calls. What is not state: taken output and
 * interrupts that nobody has fetched yet, and which pages are dirty.
 */

import { assert, present, unreachable } from '../../lib/base/assert.js';
import { LockstepError } from '../../lib/base/error.js';
import { Hash64, hash64 } from '../../lib/base/hash.js';
import type { InputEvent, OutputStream, Point } from '../../lib/event/event.js';
import type { MachineConfig, MachineImages } from '../../lib/machine/config.js';
import type {
  FrameRoom,
  Machine,
  MachineStop,
  OutputChunk,
  RunResult,
  TakenInterrupt,
} from '../../lib/machine/machine.js';
import { PAGE_BYTES, PAGE_COUNT } from './toy-config.js';
import { ToyRam } from './toy-ram.js';
import {
  CLIENT_SLOTS,
  INPUT_BYTES,
  LINE_BYTES,
  WORD,
  WORD_COUNT,
  WORD_NAMES,
} from './toy-words.js';

const TIMER_CAUSE = 7;
/** 10 ms. */
const TIMER_PERIOD_TICKS = 100_000n;
const STEPS_PER_NUMBER = 300n;
const OUTPUT_FULL_BYTES = 4096;
const STOP_CAUSES = ['power-off', 'reset', 'exit'] as const;

export { TOY_CONFIG, TOY_IMAGES } from './toy-config.js';

export class ToyMachine extends ToyRam implements Machine {
  readonly hartCount = 1;
  readonly digest: string;
  /** The architectural words; tests flip bits in them. */
  readonly state = new BigUint64Array(WORD_COUNT);
  private readonly ramWords = new Int32Array(this.ram.buffer);
  private output: OutputChunk[] = [];
  private outputBytes = 0;
  private interrupts: TakenInterrupt[] = [];

  constructor(config: MachineConfig, images: MachineImages) {
    super();
    const hash = new Hash64();
    hash.update(ascii(`toy 1 ${config.append} ${config.initialRate} ${config.rtcStartSeconds}`));
    for (const image of [images.bios, images.kernel, images.initrd]) {
      if (image !== null) hash.update(image);
    }
    this.digest = hash.digest().toString(16).padStart(64, '0');
    this.state[WORD.rate] = config.initialRate;
    this.state[WORD.timerDeadline] = TIMER_PERIOD_TICKS;
    this.state[WORD.scribble] = 1n;
  }

  private get(word: number): bigint {
    return present(this.state[word], `toy word ${word}`);
  }

  step(hart: number): bigint {
    assert(hart === 0, `hart ${hart} of a toy machine`);
    return this.get(WORD.step);
  }

  retired(hart: number): bigint {
    return this.step(hart) - this.get(WORD.interrupts);
  }

  time(hart: number): bigint {
    return this.timeAt(this.step(hart)) >> 32n;
  }

  /** Virtual time at a step not before the last re-base, in 2^-32 ticks. */
  private timeAt(step: bigint): bigint {
    const base = (this.get(WORD.baseTicks) << 32n) + this.get(WORD.baseFraction);
    return base + (step - this.get(WORD.baseStep)) * this.get(WORD.rate);
  }

  private rebase(time: bigint): void {
    this.state[WORD.baseStep] = this.get(WORD.step);
    this.state[WORD.baseTicks] = time >> 32n;
    this.state[WORD.baseFraction] = time & 0xffff_ffffn;
  }

  isParked(hart: number): boolean {
    assert(hart === 0, `hart ${hart} of a toy machine`);
    return this.get(WORD.parked) === 1n;
  }

  stopped(): MachineStop | null {
    const stop = this.get(WORD.stop);
    if (stop === 0n) return null;
    const cause = present(STOP_CAUSES[Number(stop) - 1], 'stop cause');
    return { cause, status: Number(this.get(WORD.status)) };
  }

  here(): Point {
    return { hart: 0, step: this.step(0) };
  }

  steps(): bigint {
    return this.step(0);
  }

  isIdle(): boolean {
    return this.isParked(0);
  }

  deadline(): bigint {
    return this.get(WORD.timerDeadline);
  }

  runFor(steps: bigint): RunResult {
    return this.runUntil({ hart: 0, step: this.step(0) + steps });
  }

  runUntil(point: Point, mostSteps?: bigint): RunResult {
    const last = mostSteps === undefined ? point.step : this.step(0) + mostSteps;
    const target = last < point.step ? last : point.step;
    assert(target >= this.step(point.hart), `run to ${target} from ${this.get(WORD.step)}`);
    for (;;) {
      const stop = this.stopped();
      if (stop !== null) return { reason: 'stopped', stop };
      if (this.get(WORD.step) === target) {
        return { reason: target === point.step ? 'reached' : 'paused' };
      }
      if (this.isParked(0)) return { reason: 'parked', deadline: this.get(WORD.timerDeadline) };
      if (this.outputBytes >= OUTPUT_FULL_BYTES) return { reason: 'output' };
      this.advance(target);
    }
  }

  /** One step, or as many steps of work as nothing can interrupt. */
  private advance(target: bigint): void {
    const step = this.get(WORD.step);
    if (this.time(0) >= this.get(WORD.timerDeadline)) {
      this.interrupts.push({ hart: 0, step, cause: TIMER_CAUSE });
      this.state[WORD.timerDeadline] = this.get(WORD.timerDeadline) + TIMER_PERIOD_TICKS;
      this.state[WORD.interrupts] = this.get(WORD.interrupts) + 1n;
      this.state[WORD.step] = step + 1n;
      return;
    }
    if (this.get(WORD.work) > 0n) {
      this.work(smallest(this.get(WORD.work), target - step, this.stepsToTimer()));
      return;
    }
    this.state[WORD.step] = step + 1n;
    if (this.get(WORD.print) > 0n) {
      this.state[WORD.print] = this.get(WORD.print) - 1n;
      this.emit('uart', ascii(`${this.get(WORD.print)}`.padStart(63, '.') + '\n'));
    } else if (this.get(WORD.entropyWanted) === 0n && this.get(WORD.inputLength) > 0n) {
      this.readByte();
    } else {
      this.state[WORD.parked] = 1n;
    }
  }

  private stepsToTimer(): bigint {
    const missing = (this.get(WORD.timerDeadline) << 32n) - this.timeAt(this.get(WORD.step));
    const rate = this.get(WORD.rate);
    return (missing + rate - 1n) / rate;
  }

  private work(steps: bigint): void {
    let value = Number(this.get(WORD.scribble)) | 0;
    for (let left = Number(steps); left > 0; left--) {
      value = (Math.imul(value, 1664525) + 1013904223) | 0;
      // High bits choose the page: one of four, so that some stay clean.
      const index = (value >>> 30) * 1024 + ((value >>> 8) & 1023);
      this.ramWords[index] = value;
      this.dirty.add(index >> 10);
    }
    this.state[WORD.scribble] = BigInt(value >>> 0);
    this.state[WORD.work] = this.get(WORD.work) - steps;
    this.state[WORD.step] = this.get(WORD.step) + steps;
  }

  private readByte(): void {
    const byte = this.get(WORD.input);
    const left = Number(this.get(WORD.inputLength)) - 1;
    this.state.copyWithin(WORD.input, WORD.input + 1, WORD.input + 1 + left);
    this.state[WORD.input + left] = 0n;
    this.state[WORD.inputLength] = BigInt(left);
    if (byte === 10n) {
      this.obey(this.takeLine());
      return;
    }
    const length = Number(this.get(WORD.lineLength));
    if (length === LINE_BYTES) return;
    this.state[WORD.line + length] = byte;
    this.state[WORD.lineLength] = BigInt(length + 1);
  }

  private takeLine(): string {
    const length = Number(this.get(WORD.lineLength));
    const codes = [...this.state.slice(WORD.line, WORD.line + length)].map(Number);
    this.state[WORD.lineLength] = 0n;
    return String.fromCharCode(...codes);
  }

  private obey(line: string): void {
    const [word, argument = '0'] = line.trim().split(' ');
    const value = /^\d{1,15}$/.test(argument) ? BigInt(argument) : 0n;
    switch (word) {
      case 'off':
        this.stop('power-off', 0);
        return;
      case 'exit':
        this.stop('exit', Number(value));
        return;
      case 'spin':
        this.state[WORD.work] = value;
        return;
      case 'print':
        this.state[WORD.print] = value;
        return;
      default:
        this.count(BigInt(/^\d{1,15}$/.exec(word ?? '')?.[0] ?? '0'));
    }
  }

  private count(value: bigint): void {
    const count = this.get(WORD.count) + 1n;
    this.state[WORD.count] = count;
    this.state[WORD.total] = this.get(WORD.total) + value;
    this.state[WORD.work] = STEPS_PER_NUMBER + (value % 1000n);
    if (count % 8n === 0n) this.state[WORD.entropyWanted] = 8n;
    const at = PAGE_BYTES * (4 + Number(count % 32n));
    new DataView(this.ram.buffer).setBigUint64(at, this.get(WORD.total), true);
    this.dirty.add(at / PAGE_BYTES);
    this.emit('uart', ascii(`${count} ${value} ${this.get(WORD.total)}\n`));
  }

  private stop(cause: MachineStop['cause'], status: number): void {
    this.state[WORD.stop] = BigInt(STOP_CAUSES.indexOf(cause) + 1);
    this.state[WORD.status] = BigInt(status);
    this.emit('power', Uint8Array.of(STOP_CAUSES.indexOf(cause), status & 0xff));
  }

  private emit(stream: OutputStream, bytes: Uint8Array): void {
    const word = stream === 'power' ? WORD.powerOffset : WORD.uartOffset;
    const offset = this.get(word);
    this.output.push({ stream, offset, bytes });
    this.outputBytes += bytes.length;
    this.state[word] = offset + BigInt(bytes.length);
  }

  apply(event: InputEvent): void {
    assert(event.hart === 0 && event.step === this.get(WORD.step), `event at ${event.step}`);
    switch (event.kind) {
      case 'console-input':
        this.receive(event.bytes);
        this.noteClient(event.client, event.sequence);
        return;
      case 'entropy': {
        assert(event.bytes.length === this.entropyWanted(), 'entropy nobody waits for');
        this.state[WORD.entropy] = hash64(event.bytes);
        this.state[WORD.entropyWanted] = 0n;
        return;
      }
      case 'rebase':
        this.rebase(this.timeAt(event.step));
        this.state[WORD.rate] = event.rate;
        return;
      case 'wake':
        assert(this.isParked(0), 'wake of a hart that runs');
        assert(event.time >= this.time(0), `time goes back to ${event.time}`);
        if (event.time > this.time(0)) this.rebase(event.time << 32n);
        this.state[WORD.parked] = 0n;
        return;
      case 'control':
        if (event.action === 'power-off') this.stop('power-off', 0);
        else if (event.action === 'reset') this.stop('reset', 0);
        return;
      case 'frame':
        return;
      default:
        unreachable(event);
    }
  }

  private receive(bytes: Uint8Array): void {
    assert(bytes.length <= this.inputSpace(), `${bytes.length} bytes of input`);
    const length = Number(this.get(WORD.inputLength));
    bytes.forEach((byte, index) => {
      this.state[WORD.input + length + index] = BigInt(byte);
    });
    this.state[WORD.inputLength] = BigInt(length + bytes.length);
  }

  /** Remembers the highest sequence of the clients seen last; a new one replaces slot by slot. */
  private noteClient(client: bigint, sequence: bigint): void {
    if (client === 0n) return;
    const clients = this.state.subarray(WORD.clients);
    let slot = 0;
    while (slot < CLIENT_SLOTS && clients[2 * slot] !== client && clients[2 * slot] !== 0n) slot++;
    if (slot === CLIENT_SLOTS) {
      clients.copyWithin(0, 2);
      slot = CLIENT_SLOTS - 1;
      clients[2 * slot + 1] = 0n;
    }
    clients[2 * slot] = client;
    if (sequence > (clients[2 * slot + 1] ?? 0n)) clients[2 * slot + 1] = sequence;
  }

  lastInputSequence(client: bigint): bigint {
    for (let slot = 0; slot < CLIENT_SLOTS; slot++) {
      if (this.get(WORD.clients + 2 * slot) === client)
        return this.get(WORD.clients + 2 * slot + 1);
    }
    return 0n;
  }

  takeOutput(): readonly OutputChunk[] {
    const taken = this.output;
    this.output = [];
    this.outputBytes = 0;
    return taken;
  }

  takeInterrupts(): readonly TakenInterrupt[] {
    const taken = this.interrupts;
    this.interrupts = [];
    return taken;
  }

  inputSpace(): number {
    return INPUT_BYTES - Number(this.get(WORD.inputLength));
  }

  /** The ledger has no network. */
  frameRoom(): FrameRoom {
    return 'off';
  }

  entropyWanted(): number {
    return Number(this.get(WORD.entropyWanted));
  }

  words(): BigUint64Array {
    return this.state.slice();
  }

  wordName(index: number): string {
    return WORD_NAMES[index] ?? `toy.?${index}`;
  }

  saveWords(): Uint8Array {
    return new Uint8Array(this.state.slice().buffer);
  }

  restore(words: Uint8Array, ramPages: Iterable<readonly [page: number, bytes: Uint8Array]>): void {
    if (words.length !== WORD_COUNT * 8) {
      throw new LockstepError('BAD_SNAPSHOT', `${words.length} bytes of words`);
    }
    new Uint8Array(this.state.buffer).set(words);
    this.ram.fill(0);
    for (const [page, bytes] of ramPages) {
      if (page >= PAGE_COUNT || bytes.length !== PAGE_BYTES) {
        throw new LockstepError('BAD_SNAPSHOT', `page ${page} of ${bytes.length} bytes`);
      }
      this.ram.set(bytes, page * PAGE_BYTES);
    }
    this.dirty.clear();
    this.takeOutput();
    this.takeInterrupts();
  }
}

export function createMachine(config: MachineConfig, images: MachineImages): ToyMachine {
  return new ToyMachine(config, images);
}

function smallest(a: bigint, b: bigint, c: bigint): bigint {
  const d = a < b ? a : b;
  return d < c ? d : c;
}

/** Bytes of an ASCII text. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
