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
import { Hart } from '../riscv/hart.js';
import { mromDevice } from './board-mrom.js';
import { Board, boardSpecs } from './board.js';
import { checkConfig, RAM_BASE, type MachineConfig, type MachineImages } from './config.js';
import { buildDeviceTree } from './device-tree.js';
import { DiskPages } from './disk-pages.js';
import { RamDma } from './dma.js';
import { compilerOf, DEFAULT_ENGINE, type EngineOptions } from './engine.js';
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
  private readonly hart: Hart;
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
    this.layout = planLayout({
      ramBytes: config.memoryBytes,
      blocks: [MACHINE_SPEC, hartBlockSpec(0), ...boardSpecs(config)],
      derived: [{ name: 'page-flags', bytes: this.ramPageCount }, ...hartDerivedRegions(0)],
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
        dma: new RamDma(this.layout, this.buffer, (at, bytes) => this.hart.noteDmaWrite(at, bytes)),
        clock: { now: () => this.hart.time() },
        output: { emit: (stream, bytes) => this.emit(stream, bytes) },
        disks,
        stop: (stop) => this.stop(stop),
        setLine: (_hart, code, level) => this.hart.setLine(code, level),
        setTimeCompare: (_hart, ticks) => this.hart.setMachineCompare(ticks),
      },
      mromDevice(this.plan.mrom),
    );
    this.hart = new Hart({
      hart: 0,
      layout: this.layout,
      memory,
      compiler: compilerOf(engine, regions),
      ports: {
        mmio: this.board.bus,
        deviceDeadline: () => this.board.rtc.alarmDeadline(),
        pollDevices: () => this.board.rtc.poll(),
        busy: () => this.board.hasWork(),
        mustReturn: () => this.mustReturn(),
        onInterrupt: (step, cause) => this.interrupts.push({ hart: 0, step, cause }),
      },
    });
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

  runUntil(point: Point): RunResult {
    const hart = this.hartOf(point.hart);
    const exit = hart.run(point.step);
    const stop = this.state.stop();
    if (stop !== null) return { reason: 'stopped', stop };
    switch (exit) {
      case 'limit':
        return { reason: 'reached' };
      case 'parked':
        return { reason: 'parked', deadline: hart.deadline() };
      case 'must-return':
        return { reason: 'output' };
    }
  }

  apply(event: InputEvent): void {
    const hart = this.hartOf(event.hart);
    const step = hart.step();
    assert(event.step === step, `event at step ${event.step}, hart at ${step}`);
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
        hart.rebase(event.rate);
        return;
      case 'wake':
        hart.wake(event.time);
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
    const ofRam = this.hart
      .takeDirtyPages()
      .map((page) => [page, this.hart.hashPage(page)] as const);
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
    this.hart.afterRestore();
    this.board.afterRestore();
    this.watchHostTarget();
  }

  private hartOf(hart: number): Hart {
    assert(hart === 0, `there is no hart ${hart}`);
    return this.hart;
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
    const { hart, deviceTree, firmwareInfo } = this.plan.bootArguments;
    this.hart.block.set(HART_WORD.timeRate, this.config.initialRate);
    this.hart.reset(BigInt(this.plan.programEntry), [
      [10, BigInt(hart)],
      [11, BigInt(deviceTree)],
      [12, BigInt(firmwareInfo)],
    ]);
    this.hart.clearPageFlags();
    this.watchHostTarget();
  }

  private dropTransient(): void {
    this.output.take();
    this.interrupts = [];
    this.hart.clearPageFlags();
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
    const { block } = this.hart;
    const kept = (['step', 'traps', 'timeBase', 'timeStep', 'timeRate'] as const).map(
      (field) => [HART_WORD[field], block.get(HART_WORD[field])] as const,
    );
    block.words.fill(0n);
    clearBytes(this.ram());
    this.powerOn();
    for (const [index, value] of kept) block.set(index, value);
    this.state.clearStop();
    this.hart.markAllDirty();
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
    const step = this.hart.step();
    if (this.state.resumedAt === step) return;
    this.state.resumedAt = step;
    this.board.resumeWork();
  }

  private watchHostTarget(): void {
    const { tohost } = this.plan.symbols;
    if (tohost !== undefined) this.hart.watchPage(tohost);
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
