/**
 * The real machine: RISC-V harts and the board of QEMU's virt over one flat memory.
 *
 * Everything guest-visible lies in the words or in RAM; the fields here are wires, caches and
 * output on its way out. `runUntil` is the same function for record, replay, tools and tests.
 */

import { assert, present, unreachable } from '../base/assert.js';
import { clearBytes } from '../base/bytes.js';
import { Sha256 } from '../base/sha256.js';
import type { InputEvent, InputStream, OutputStream, Point } from '../event/event.js';
import { PAGE_BYTES, WASM_PAGE_BYTES, type MemoryLayout } from '../memory/layout.js';
import { WordBlock, type WordBlockSpec } from '../memory/word-block.js';
import { HART_WORD } from '../riscv/hart-state.js';
import { UNOBSERVED } from '../jit/region-observer.js';
import type { Hart } from '../riscv/hart.js';
import { mromDevice } from './board-mrom.js';
import { Board } from './board.js';
import { checkConfig, RAM_BASE, type MachineConfig, type MachineImages } from './config.js';
import { buildDeviceTree } from './device-tree.js';
import { DiskPages } from './disk-pages.js';
import { RamDma } from './dma.js';
import { DEFAULT_ENGINE, type EngineOptions } from './engine.js';
import { compilerOf } from './engine-compiler.js';
import { HostTarget } from './host-target.js';
import {
  earliestTimer,
  isIdle,
  stepsOf,
  type HartSchedule,
  type MachineHart,
  type ScheduleExit,
  type ScheduleHost,
} from './hart-schedule.js';
import { createSchedule } from './create-schedule.js';
import { machineLayout } from './machine-layout.js';
import { planLoad, type LoadPlan } from './loader.js';
import { MachinePages } from './machine-pages.js';
import { MACHINE_SPEC, MachineState } from './machine-state.js';
import { MachineWords } from './machine-words.js';
import { machineDigest } from './machine-digest.js';
import type {
  FrameRoom,
  Machine,
  MachineStop,
  ParallelMachine,
  OutputChunk,
  RunResult,
  TakenInterrupt,
} from './machine.js';
import type { MachinePorts } from './machine-ports.js';
import { OutputBuffer } from './output-buffer.js';

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
  { disks = [], sha256 = new Sha256(), regions = UNOBSERVED, threads = null }: MachinePorts = {},
): Machine {
  checkConfig(config);
  assert(disks.length === config.disks.length, `${disks.length} of ${config.disks.length} disks`);
  return new RiscvMachine({ config, images, engine, disks, sha256, regions, threads });
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
  readonly buffer: ArrayBufferLike;
  private readonly state: MachineState;
  private readonly board: Board;
  private readonly schedule: HartSchedule;
  readonly harts: readonly MachineHart[];
  private readonly hostTarget: HostTarget | null;
  private readonly pages: MachinePages;
  private readonly blocks: MachineWords;
  private readonly output = new OutputBuffer();

  constructor({ config, images, engine, disks, sha256, regions, threads }: Parts) {
    this.config = config;
    this.hartCount = config.harts;
    this.ramPageCount = config.memoryBytes / PAGE_BYTES;
    this.plan = planLoad(config, images, buildDeviceTree);
    this.layout = machineLayout(config);
    const pages = this.layout.totalBytes / WASM_PAGE_BYTES;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.buffer = memory.buffer;
    this.blocks = new MachineWords(this.layout, this.buffer);
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
        setLine: (hart, code, level) => this.schedule.setLine(hart, code, level),
        setTimeCompare: (hart, ticks) => this.schedule.setTimeCompare(hart, ticks),
      },
      mromDevice(this.plan.mrom),
    );
    const host: ScheduleHost = {
      layout: this.layout,
      memory,
      hartCount: config.harts,
      compiler: compilerOf(engine, regions),
      state: this.state,
      devices: this.board.bus,
      deviceDeadline: () => this.board.rtc.alarmDeadline(),
      pollDevices: () => this.board.rtc.poll(),
      hasWork: () => this.board.hasWork(),
      resumeWork: () => this.board.resumeWork(),
      mustReturn: () => this.mustReturn(),
    };
    const tohost = this.plan.symbols.tohost ?? null;
    this.schedule = createSchedule(host, { config, engine, threads, tohost });
    this.harts = this.schedule.harts;
    this.pages = new MachinePages({
      layout: this.layout,
      buffer: this.buffer,
      disks: new DiskPages(disks, this.ramPageCount),
      schedule: this.schedule,
    });
    this.pageCount = this.pages.count;
    this.hostTarget = tohost === null ? null : new HostTarget(tohost, this.layout, this.buffer);
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
    return stepsOf(this.harts);
  }

  isIdle(): boolean {
    return isIdle(this.harts);
  }

  deadline(): bigint | null {
    return earliestTimer(this.harts);
  }

  runUntil(point: Point, mostSteps = FOREVER): RunResult {
    const step = this.hartOf(point.hart).step();
    assert(point.step >= step, 'the hart is not beyond the point to run to', step);
    return this.run(point, mostSteps);
  }

  runFor(steps: bigint): RunResult {
    return this.run(null, steps);
  }

  private run(point: Point | null, mostSteps: bigint): RunResult {
    return this.resultOf(this.schedule.run(point, this.steps() + mostSteps));
  }

  private resultOf(exit: ScheduleExit): RunResult {
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
    assert(isHere, `event at ${event.hart}:${event.step}, machine at ${hart}:${step}`);
    this.schedule.tell(() => this.tell(event));
  }

  private tell(event: InputEvent): void {
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
        this.schedule.rebase(event.rate);
        return;
      case 'wake':
        this.schedule.wake(event.hart, event.time);
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
    return this.schedule.takeInterrupts();
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
    return this.blocks.name(index);
  }

  takeDirtyPages(): readonly (readonly [page: number, hash: bigint])[] {
    return this.pages.takeDirty();
  }

  hasMoreDirtyPages(): boolean {
    return this.pages.hasMoreDirty();
  }

  pageName(page: number): string {
    return this.pages.name(page);
  }

  saveWords(): Uint8Array {
    return this.blocks.save();
  }

  savePage(page: number): Uint8Array | null {
    return this.pages.save(page);
  }

  restore(words: Uint8Array, pages: Iterable<readonly [page: number, bytes: Uint8Array]>): void {
    this.blocks.restore(words);
    this.pages.restore(pages);
    this.output.take();
    for (const hart of this.harts) {
      hart.clearPageFlags();
      hart.afterRestore();
    }
    this.board.afterRestore();
    this.schedule.restart('snapshot');
    this.watchTarget();
  }

  private hartOf(hart: number): MachineHart {
    return present(this.harts[hart], `hart ${hart}`);
  }

  private get current(): Hart {
    return this.schedule.current;
  }

  get parallel(): ParallelMachine | null {
    const { parallel } = this.schedule;
    if (parallel === null) return null;
    return {
      reach: (steps) => this.resultOf(parallel.reach(steps)),
      reachSteal: (event) => this.resultOf(parallel.reachSteal(event)),
      takeSteals: () => parallel.takeSteals(),
    };
  }

  /** Loads the images and enters the program as the reset vector would. */
  private powerOn(): void {
    const ram = this.pages.ram();
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
    this.schedule.restart('power-on');
    this.watchTarget();
  }

  /** Every store to the place of the exit code returns from generated code. */
  private watchTarget(): void {
    const { hostTarget } = this;
    if (hostTarget === null) return;
    for (const hart of this.harts) hart.watchPage(hostTarget.address);
  }

  private control(action: 'power-off' | 'reset' | 'snapshot'): void {
    if (action === 'power-off') this.stop({ cause: 'power-off', status: 0 });
    if (action === 'reset') this.restart();
  }

  /** A reset keeps steps, time, stream positions and output not yet taken. */
  private restart(): void {
    const kept = this.harts.map((hart) => hart.clearWords());
    clearBytes(this.pages.ram());
    this.powerOn();
    for (const putBack of kept) putBack();
    this.schedule.restart('power-on');
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

  private mustReturn(): boolean {
    const exitCode = this.hostTarget?.exitCode() ?? null;
    if (exitCode !== null) this.stop({ cause: 'exit', status: exitCode });
    return this.state.isStopped || this.output.isFull;
  }
}
