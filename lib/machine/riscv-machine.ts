/**
 * The real machine: RISC-V harts and the board of QEMU's virt over one flat memory.
 *
 * Everything guest-visible lies in the words or in RAM; the fields here are wires, caches and
 * output on its way out. `runUntil` is the same function for record, replay, tools and tests.
 */

import { assert, present, unreachable } from '../base/assert.js';
import { clearBytes } from '../base/bytes.js';
import { LockstepError } from '../base/error.js';
import { Sha256 } from '../base/sha256.js';
import type { InputEvent, InputStream, OutputStream, Point } from '../event/event.js';
import { PAGE_BYTES, WASM_PAGE_BYTES, planLayout, type MemoryLayout } from '../memory/layout.js';
import { WordBlock, type WordBlockSpec } from '../memory/word-block.js';
import { hartDerivedRegions } from '../riscv/derived.js';
import { HART_WORD, hartBlockSpec } from '../riscv/hart-state.js';
import { UNOBSERVED } from '../jit/region-observer.js';
import { Hart, type HartPorts } from '../riscv/hart.js';
import { mromDevice } from './board-mrom.js';
import { Board, boardSpecs } from './board.js';
import { checkConfig, RAM_BASE, type MachineConfig, type MachineImages } from './config.js';
import { buildDeviceTree } from './device-tree.js';
import { DiskPages } from './disk-pages.js';
import { RamDma } from './dma.js';
import { compilerOf, DEFAULT_ENGINE, type EngineOptions } from './engine.js';
import { HartTurns } from './hart-turns.js';
import { planLoad, type LoadPlan } from './loader.js';
import { MACHINE_SPEC, MachineState } from './machine-state.js';
import { machineDigest } from './machine-digest.js';
import type {
  FrameRoom,
  Machine,
  MachineStop,
  OutputChunk,
  RunResult,
  TakenInterrupt,
} from './machine.js';
import type { MachinePorts } from './machine-ports.js';
import { OutputBuffer } from './output-buffer.js';
import { TurnOwnership } from './turn-ownership.js';

/** More steps than any machine counts. */
const FOREVER = 1n << 63n;

/** The part of the WebAssembly JavaScript interface that is used; the zone has no DOM types. */
declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => {
    readonly buffer: ArrayBufferLike;
  };
};

/** `disks` are those of the configuration, in their order, as they are at power-on. */
export function createRiscvMachine(
  config: MachineConfig,
  images: MachineImages,
  engine: EngineOptions = DEFAULT_ENGINE,
  { disks = [], sha256 = new Sha256(), regions = UNOBSERVED }: MachinePorts = {},
): Machine {
  checkConfig(config);
  assert(disks.length === config.disks.length, `${disks.length} of ${config.disks.length} disks`);
  return new RiscvMachine({ config, images, engine, disks, sha256, regions });
}

interface Parts extends Required<MachinePorts> {
  readonly config: MachineConfig;
  readonly images: MachineImages;
  readonly engine: EngineOptions;
}

class RiscvMachine implements Machine {
  readonly hartCount: number;
  readonly digest: string;
  readonly ramPageCount: number;
  readonly pageCount: number;
  private readonly config: MachineConfig;
  private readonly plan: LoadPlan;
  private readonly layout: MemoryLayout;
  private readonly buffer: ArrayBufferLike;
  private readonly state: MachineState;
  private readonly board: Board;
  private readonly harts: Hart[] = [];
  private readonly turns: HartTurns;
  private readonly diskPages: DiskPages;
  private readonly output = new OutputBuffer();
  private interrupts: TakenInterrupt[] = [];

  constructor({ config, images, engine, disks, sha256, regions }: Parts) {
    this.config = config;
    this.hartCount = config.harts;
    this.ramPageCount = config.memoryBytes / PAGE_BYTES;
    this.diskPages = new DiskPages(disks, this.ramPageCount);
    this.pageCount = this.ramPageCount + this.diskPages.count;
    this.plan = planLoad(config, images, buildDeviceTree);
    const numbers = Array.from({ length: config.harts }, (_, hart) => hart);
    this.layout = planLayout({
      ramBytes: config.memoryBytes,
      blocks: [MACHINE_SPEC, ...numbers.map(hartBlockSpec), ...boardSpecs(config)],
      derived: numbers.flatMap((hart) => hartDerivedRegions(hart, this.ramPageCount)),
    });
    const pages = this.layout.totalBytes / WASM_PAGE_BYTES;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.buffer = memory.buffer;
    this.digest = machineDigest(this.layout, config, images, sha256);
    const block = (spec: WordBlockSpec): WordBlock =>
      new WordBlock(spec, this.buffer, this.layout.offsetOf(spec.name));
    this.state = new MachineState(block(MACHINE_SPEC));
    this.board = new Board(
      config,
      {
        block,
        dma: new RamDma(this.layout, this.buffer, {
          claim: (at, bytes, mode) => this.current.claim(at, bytes, mode),
          written: (at, bytes) => this.current.noteDmaWrite(at, bytes),
        }),
        clock: { now: () => this.current.time() },
        output: { emit: (stream, bytes) => this.emit(stream, bytes) },
        disks,
        stop: (stop) => this.stop(stop),
        setLine: (hart, code, level) => this.hartOf(hart).setLine(code, level),
        setTimeCompare: (hart, ticks) => this.hartOf(hart).timers.setMachineCompare(ticks),
      },
      mromDevice(this.plan.mrom),
    );
    const ownership = config.harts > 1 ? new TurnOwnership(this.harts) : null;
    for (const hart of numbers) {
      this.harts.push(
        new Hart({
          hart,
          layout: this.layout,
          memory,
          compiler: compilerOf(engine, regions),
          ports: { ...this.hartPorts(hart), ownership },
        }),
      );
    }
    this.turns = new HartTurns(this.harts, this.state);
    this.powerOn();
  }

  step(hart: number): bigint {
    return this.hartOf(hart).step();
  }

  retired(hart: number): bigint {
    return this.hartOf(hart).retired();
  }

  time(hart: number): bigint {
    return this.hartOf(hart).time();
  }

  isParked(hart: number): boolean {
    return this.hartOf(hart).parked;
  }

  stopped(): MachineStop | null {
    return this.state.stop();
  }

  here(): Point {
    const { current } = this;
    return { hart: current.memory.hart, step: current.step() };
  }

  steps(): bigint {
    return this.turns.steps();
  }

  isIdle(): boolean {
    return this.turns.isIdle();
  }

  deadline(): bigint | null {
    return this.turns.deadline();
  }

  runUntil(point: Point, mostSteps = FOREVER): RunResult {
    const step = this.hartOf(point.hart).step();
    assert(point.step >= step, `hart ${point.hart} is at step ${step}, beyond ${point.step}`);
    return this.run(point, mostSteps);
  }

  runFor(steps: bigint): RunResult {
    return this.run(null, steps);
  }

  private run(point: Point | null, mostSteps: bigint): RunResult {
    const exit = this.turns.run(point, this.steps() + mostSteps);
    const stop = this.state.stop();
    if (stop !== null) return { reason: 'stopped', stop };
    switch (exit) {
      case 'reached':
      case 'paused':
        return { reason: exit };
      case 'parked':
        return { reason: 'parked', deadline: this.deadline() };
      case 'must-return':
        return { reason: 'output' };
    }
  }

  apply(event: InputEvent): void {
    const { hart, step } = this.here();
    const isHere = event.hart === hart && event.step === step;
    assert(isHere, `event at step ${event.step} of hart ${event.hart}, machine at ${hart} ${step}`);
    switch (event.kind) {
      case 'console-input':
        this.state.noteInput(event.client, event.sequence);
        this.board.consoleInput(event.stream).receive(event.bytes);
        return;
      case 'entropy':
        this.board.entropy.supply(event.bytes);
        return;
      case 'frame':
        this.board.net?.receive(event.bytes);
        return;
      case 'rebase':
        this.current.rebase(event.rate);
        return;
      case 'wake':
        this.turns.wake(hart, event.time);
        return;
      case 'control':
        this.control(event.action);
        return;
      default:
        unreachable(event);
    }
  }

  takeOutput(): readonly OutputChunk[] {
    return this.output.take();
  }

  takeInterrupts(): readonly TakenInterrupt[] {
    const taken = this.interrupts;
    this.interrupts = [];
    return taken;
  }

  inputSpace(stream: InputStream): number {
    return this.board.consoleInput(stream).inputSpace();
  }

  frameRoom(): FrameRoom {
    return this.board.net?.room() ?? 'off';
  }

  lastInputSequence(client: bigint): bigint {
    return this.state.lastInputSequence(client);
  }

  entropyWanted(): number {
    return this.board.entropy.wanted();
  }

  words(): BigUint64Array {
    return new BigUint64Array(this.saveWords().buffer);
  }

  wordName(index: number): string {
    const byteOffset = this.layout.wordsStart + index * 8;
    const owner = this.layout.blocks.findLast((block) => block.byteOffset <= byteOffset);
    const { spec, byteOffset: start } = present(owner, `block of word ${index}`);
    return new WordBlock(spec, this.buffer, start).nameOf((byteOffset - start) / 8);
  }

  takeDirtyPages(): readonly (readonly [page: number, hash: bigint])[] {
    const [first] = this.harts;
    const ofRam = this.takeDirtyRam().map(
      (page) => [page, present(first, 'hart 0').hashPage(page)] as const,
    );
    return this.diskPages.areDirty ? [...ofRam, ...this.diskPages.takeDirty()] : ofRam;
  }

  hasMoreDirtyPages(): boolean {
    return this.diskPages.areDirty;
  }

  pageName(page: number): string {
    if (page >= this.ramPageCount) return this.diskPages.name(page);
    return `page ${page} (0x${(RAM_BASE + page * PAGE_BYTES).toString(16)})`;
  }

  saveWords(): Uint8Array {
    const { wordsStart, wordsEnd } = this.layout;
    return new Uint8Array(this.buffer, wordsStart, wordsEnd - wordsStart).slice();
  }

  savePage(page: number): Uint8Array | null {
    if (page >= this.ramPageCount) return this.diskPages.save(page);
    const bytes = this.ramPage(page);
    const words = new Int32Array(this.buffer, bytes.byteOffset, PAGE_BYTES / 4);
    for (let index = 0; index < words.length; index++) {
      if (words[index] !== 0) return bytes.slice();
    }
    return null;
  }

  restore(words: Uint8Array, pages: Iterable<readonly [page: number, bytes: Uint8Array]>): void {
    const { wordsStart, wordsEnd } = this.layout;
    if (words.length !== wordsEnd - wordsStart) {
      throw new LockstepError(
        'BAD_SNAPSHOT',
        `the snapshot has ${words.length} bytes of words, this machine ${wordsEnd - wordsStart}`,
      );
    }
    clearBytes(this.ram());
    this.diskPages.reset();
    for (const [page, bytes] of pages) {
      const isPage = Number.isInteger(page) && page >= 0 && page < this.pageCount;
      if (!isPage || bytes.length !== PAGE_BYTES) {
        throw new LockstepError('BAD_SNAPSHOT', `page ${page} of ${bytes.length} bytes`);
      }
      if (page < this.ramPageCount) this.ramPage(page).set(bytes);
      else this.diskPages.restore(page, bytes);
    }
    new Uint8Array(this.buffer, wordsStart, words.length).set(words);
    this.dropTransient();
    for (const hart of this.harts) hart.afterRestore();
    this.board.afterRestore();
    this.watchHostTarget();
  }

  private hartOf(hart: number): Hart {
    return present(this.harts[hart], `hart ${hart}`);
  }

  private get current(): Hart {
    return this.turns.current;
  }

  private hartPorts(hart: number): Omit<HartPorts, 'ownership'> {
    return {
      mmio: this.board.bus,
      deviceDeadline: () => this.board.rtc.alarmDeadline(),
      pollDevices: () => this.board.rtc.poll(),
      busy: () => this.board.hasWork(),
      mustReturn: () => this.mustReturn(),
      onInterrupt: (step, cause) => this.interrupts.push({ hart, step, cause }),
    };
  }

  /** RAM pages written by any hart since the last call, ascending. */
  private takeDirtyRam(): readonly number[] {
    const lists = this.harts.map((hart) => hart.takeDirtyPages());
    const [only] = lists;
    if (lists.length === 1 && only !== undefined) return only;
    return [...new Set(lists.flat())].sort((a, b) => a - b);
  }

  private ram(): Uint8Array {
    return new Uint8Array(this.buffer, this.layout.ramOffset, this.layout.ramBytes);
  }

  private ramPage(page: number): Uint8Array {
    assert(page >= 0 && page < this.ramPageCount, `RAM page ${page}`);
    return new Uint8Array(this.buffer, this.layout.ramOffset + page * PAGE_BYTES, PAGE_BYTES);
  }

  /** Loads the images and enters the program as the reset vector would. */
  private powerOn(): void {
    const ram = this.ram();
    for (const segment of this.plan.segments) {
      ram.set(segment.bytes, segment.address - RAM_BASE);
    }
    this.board.reset();
    const { deviceTree, firmwareInfo } = this.plan.bootArguments;
    for (const hart of this.harts) {
      hart.block.set(HART_WORD.timeRate, this.config.initialRate);
      hart.reset(BigInt(this.plan.programEntry), [
        [10, BigInt(hart.memory.hart)],
        [11, BigInt(deviceTree)],
        [12, BigInt(firmwareInfo)],
      ]);
      hart.clearPageFlags();
    }
    this.turns.begin(this.hartOf(0));
    this.watchHostTarget();
  }

  private dropTransient(): void {
    this.output.take();
    this.interrupts = [];
    for (const hart of this.harts) hart.clearPageFlags();
  }

  private control(action: 'power-off' | 'reset' | 'snapshot'): void {
    switch (action) {
      case 'power-off':
        this.stop({ cause: 'power-off', status: 0 });
        return;
      case 'reset':
        this.restart();
        return;
      case 'snapshot':
        return;
    }
  }

  /** A reset keeps steps, time, stream positions and output not yet taken. */
  private restart(): void {
    const kept = this.harts.flatMap(({ block }) =>
      (['step', 'traps', 'timeBase', 'timeStep', 'timeRate'] as const).map(
        (field) => [block, HART_WORD[field], block.get(HART_WORD[field])] as const,
      ),
    );
    for (const { block } of this.harts) block.words.fill(0n);
    clearBytes(this.ram());
    this.powerOn();
    for (const [block, index, value] of kept) block.set(index, value);
    this.turns.begin(this.hartOf(0));
    this.state.clearStop();
    for (const hart of this.harts) hart.markAllDirty();
  }

  private emit(stream: OutputStream, bytes: Uint8Array): void {
    this.output.add({ stream, offset: this.state.outputOffset(stream), bytes });
    this.state.advanceOutput(stream, bytes.length);
  }

  private stop(stop: MachineStop): void {
    if (this.state.stop() !== null) return;
    this.state.setStop(stop);
    const codes = { 'power-off': 0, reset: 1, exit: 2 } as const;
    this.emit('power', Uint8Array.of(codes[stop.cause]));
  }

  /** Bounded device work goes on once a step; then: is there a reason to return? */
  private mustReturn(): boolean {
    if (this.board.hasWork()) this.resumeWork();
    if (this.plan.symbols.tohost !== undefined) this.readHostTarget();
    return this.state.isStopped || this.output.isFull;
  }

  private resumeWork(): void {
    const steps = this.steps();
    if (this.state.resumedAt === steps) return;
    this.state.resumedAt = steps;
    this.board.resumeWork();
  }

  private watchHostTarget(): void {
    const { tohost } = this.plan.symbols;
    if (tohost === undefined) return;
    for (const hart of this.harts) hart.watchPage(tohost);
  }

  /** HTIF as the RISC-V test suites use it: an odd value ends the run, exit code above bit 0. */
  private readHostTarget(): void {
    const { tohost } = this.plan.symbols;
    if (tohost === undefined) return;
    const at = this.layout.ramOffset + tohost - RAM_BASE;
    const value = new DataView(this.buffer).getBigUint64(at, true);
    if ((value & 1n) === 1n && value >> 48n === 0n) {
      this.stop({ cause: 'exit', status: Number((value >> 1n) & 0x7fff_ffffn) });
    }
  }
}
