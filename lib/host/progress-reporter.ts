/**
 * How far a machine is: stored in shared memory every millisecond, and whenever it stands; told by
 * message now and then.
 *
 * Invariant: after something has moved, a message about the last of it is due within the interval,
 * and `dueMs` says when, so that whoever goes to sleep can wake for it.
 */

import { performance } from 'node:perf_hooks';
import type { RegionObserver } from '../jit/region-observer.js';
import type { Machine } from '../machine/machine.js';
import type { EngineFigures, HartProgress } from './hart-listener.js';
import { stepsOf } from './inspection.js';
import { CONTROL, PROGRESS, type ControlBlock, type Report } from './hart-messages.js';

/** A slice takes a fifth of it, and storing costs a microsecond. */
const STORE_INTERVAL_MS = 1;
const INTERVAL_MS = 100;
/** A replay that has caught up says so sooner, and so does a hart that parks. */
const SETTLED_INTERVAL_MS = 5;

export class ProgressReporter {
  private readonly machine: Machine;
  private readonly control: ControlBlock;
  private readonly post: (report: Report) => void;
  private lastMs = 0;
  private storedMs = -Infinity;
  private intervalMs = SETTLED_INTERVAL_MS;
  private toldStep = -1n;
  private toldSeq = -1n;
  private isTold = false;

  constructor(machine: Machine, control: ControlBlock, post: (report: Report) => void) {
    this.machine = machine;
    this.control = control;
    this.post = post;
  }

  /** Whether a machine that moves is to be looked at again. */
  isWanted(): boolean {
    return performance.now() - this.storedMs >= STORE_INTERVAL_MS;
  }

  /** `seq` is the last entry logged or applied; `settled` if nothing moves for now. */
  publish(seq: bigint, settled: boolean): void {
    const { words, progress } = this.control;
    const { machine } = this;
    this.storedMs = performance.now();
    const steps = stepsOf(machine);
    const step = machine.steps();
    const time = machine.time(machine.here().hart);
    const parked = machine.isIdle();
    steps.forEach((own, hart) => void Atomics.store(progress, PROGRESS.steps + hart, own));
    Atomics.store(progress, PROGRESS.time, time);
    Atomics.store(progress, PROGRESS.seq, seq);
    Atomics.store(words, CONTROL.parked, parked ? 1 : 0);
    this.isTold = step === this.toldStep && seq === this.toldSeq;
    this.intervalMs = settled ? SETTLED_INTERVAL_MS : INTERVAL_MS;
    if (this.dueMs() > 0) return;
    this.isTold = true;
    this.toldStep = step;
    this.toldSeq = seq;
    this.lastMs = performance.now();
    this.post({ kind: 'progress', steps, time, parked, seq });
  }

  /** Milliseconds until a message is due; infinite if there is nothing new to tell. */
  dueMs(): number {
    if (this.isTold) return Infinity;
    return Math.max(0, this.lastMs + this.intervalMs - performance.now());
  }
}

/** Reads what `ProgressReporter` stored: no message, no waiting. */
export function readProgress({ words, progress }: ControlBlock, hartCount: number): HartProgress {
  const steps = Array.from({ length: hartCount }, (_, hart) =>
    Atomics.load(progress, PROGRESS.steps + hart),
  );
  return {
    steps,
    time: Atomics.load(progress, PROGRESS.time),
    seq: Atomics.load(progress, PROGRESS.seq),
    parked: Atomics.load(words, CONTROL.parked) === 1,
  };
}

/** Stores what the compiler tells, as it happens. */
export function storeEngineFigures({ progress }: ControlBlock): RegionObserver {
  return {
    monotonicNs: () => process.hrtime.bigint(),
    changed: (statistics) => {
      const store = (word: number, value: number | bigint): void =>
        void Atomics.store(progress, word, BigInt(value));
      store(PROGRESS.regionsCompiled, statistics.compiled);
      store(PROGRESS.regionsDropped, statistics.dropped);
      store(PROGRESS.compiledInstructions, statistics.instructions);
      store(PROGRESS.regionsLive, statistics.live);
      store(PROGRESS.codeBytes, statistics.liveBytes);
      store(PROGRESS.compileNs, statistics.compileNs);
    },
  };
}

/** Reads what `storeEngineFigures` stored. */
export function readEngineFigures({ progress }: ControlBlock): EngineFigures {
  const load = (word: number): number => Number(Atomics.load(progress, word));
  return {
    regionsCompiled: load(PROGRESS.regionsCompiled),
    regionsDropped: load(PROGRESS.regionsDropped),
    compiledInstructions: load(PROGRESS.compiledInstructions),
    regionsLive: load(PROGRESS.regionsLive),
    codeBytes: load(PROGRESS.codeBytes),
    compileSeconds: load(PROGRESS.compileNs) / 1e9,
  };
}
