/**
 * A thread that runs one hart, other than hart 0, for as long as the machine lives.
 */

import { Hart, type WebAssemblyMemory } from '../../riscv/hart.js';
import type { MachineConfig } from '../config.js';
import type { EngineOptions } from '../engine.js';
import { compilerOf } from '../engine-compiler.js';
import { HostTarget } from '../host-target.js';
import { DeviceCalls } from './device-calls.js';
import { HartRunner } from './hart-runner.js';
import { machineLayout } from '../machine-layout.js';
import { Settlement } from './settlement.js';
import { FAILURE, SharedWords } from './shared-words.js';
import { SharedOwnership } from './shared-ownership.js';
import { Standstill, type WaitPort } from './standstill.js';

/** What a thread is started with: plain data, and the machine's memory, which it shares. */
export interface HartThreadStart {
  readonly hart: number;
  readonly config: MachineConfig;
  readonly engine: EngineOptions;
  readonly memory: WebAssemblyMemory;
  /** Address of the symbol `tohost`, or null. */
  readonly tohost: number | null;
}

/** Threads of the host, for harts. */
export interface ThreadPort extends WaitPort {
  /** Starts a thread that calls `runHartThread`; it ends with its machine's thread. */
  start(start: HartThreadStart): void;
}

/** Never returns, but after a failure that the machine's thread is told. */
export function runHartThread(start: HartThreadStart, port: WaitPort): void {
  const layout = machineLayout(start.config);
  const words = new SharedWords(start.config.harts, layout, start.memory.buffer);
  try {
    new HartThread(start, port).run();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    words.fail(FAILURE.exception, start.hart, { message });
  }
}

class HartThread {
  private readonly words: SharedWords;
  private readonly hart: Hart;
  private readonly number: number;
  private readonly standstill: Standstill;
  private readonly runner: HartRunner;

  constructor({ hart: number, config, engine, memory, tohost }: HartThreadStart, port: WaitPort) {
    const layout = machineLayout(config);
    const words = new SharedWords(config.harts, layout, memory.buffer);
    this.words = words;
    this.number = number;
    const settlement = new Settlement(words, layout, memory.buffer);
    const isParked = (hart: number): boolean => settlement.isParked(hart);
    this.standstill = new Standstill({ words, hart: number, port, isParked });
    const { standstill } = this;
    const ownership: SharedOwnership = new SharedOwnership({
      words,
      hart: number,
      standstill,
      settlement,
      step: () => this.hart.step(),
      settled: () => this.runner.refreshTimers(),
    });
    const target = tohost === null ? null : new HostTarget(tohost, layout, memory.buffer);
    const calls = new DeviceCalls({
      words,
      hart: number,
      standstill,
      ownership,
      answered: () => this.runner.lookAround(),
    });
    this.hart = new Hart({
      hart: number,
      layout,
      memory,
      compiler: compilerOf(engine),
      ports: {
        mmio: calls,
        deviceDeadline: () => null,
        pollDevices: () => undefined,
        work: () => 'none',
        mustReturn: () =>
          !words.hasRoomForInterrupts(number) || (target?.exitCode() ?? null) !== null,
        onInterrupt: (step, cause) => words.addInterrupt(number, Number(step), cause),
        ownership,
      },
    });
    this.runner = new HartRunner({ words, hart: this.hart, standstill, ownership });
  }

  run(): void {
    for (;;) {
      this.standstill.stand(this.words.steps[this.number] ?? 0, () => this.runner.canRun());
      this.runner.lookAround();
      this.runner.noteExit(this.runner.run());
    }
  }
}
