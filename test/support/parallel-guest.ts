/**
 * Machines whose harts run in parallel, for tests: a bare-metal program as firmware, recorded and
 * replayed by the real sessions.
 */

import type { LogEntry } from '../../lib/event/event.js';
import { HART_THREADS } from '../../lib/host/hart-threads.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine } from '../../lib/machine/machine.js';
import type { ThreadPort } from '../../lib/machine/parallel/hart-thread.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { RecordSession } from '../../lib/session/record-session.js';
import { ReplaySession } from '../../lib/session/replay-session.js';
import { freshState } from '../../lib/session/session-state.js';
import { hashWholeState } from '../../lib/session/state-check.js';
import { assemble } from './assembler.js';
import { COMPILER, PROGRAM_CONFIG } from './program.js';

export interface ParallelOptions {
  readonly harts: number;
  readonly engine?: EngineOptions;
  readonly threads?: ThreadPort;
}

export function parallelMachine(program: string, options: ParallelOptions): Machine {
  const { harts, engine = COMPILER, threads = HART_THREADS } = options;
  const images = { bios: assemble(program).bytes, kernel: null, initrd: null };
  const config = { ...PROGRAM_CONFIG, harts, schedule: 'parallel' as const };
  return createRiscvMachine(config, images, engine, { threads });
}

export interface ParallelRecording {
  readonly entries: readonly LogEntry[];
  readonly machine: Machine;
  readonly hash: bigint;
}

/** Records a program until it switches the machine off; `slices` bounds a program that hangs. */
export function recordParallel(
  program: string,
  options: ParallelOptions,
  slices = 200_000,
): ParallelRecording {
  const machine = parallelMachine(program, options);
  const session = new RecordSession({
    machine,
    ports: { monotonicNs: () => process.hrtime.bigint(), randomBytes: (n) => new Uint8Array(n) },
    state: freshState(machine, 1n),
    epoch: 1n,
    clock: 'steps',
    initialRate: PROGRAM_CONFIG.initialRate,
    log: true,
  });
  const entries: LogEntry[] = [];
  for (let slice = 0; slice < slices; slice++) {
    const { kind } = session.runSlice();
    entries.push(...session.takeRecorded().entries);
    if (kind === 'stopped') return { entries, machine, hash: hashWholeState(machine) };
  }
  throw new Error(`the program has not ended: harts at ${machine.step(0)} and ${machine.step(1)}`);
}

/** Replays on a machine of its own; gives the hash of its state. DIVERGED where it can't. */
export function replayParallel(
  program: string,
  entries: readonly LogEntry[],
  options: ParallelOptions,
): bigint {
  const machine = parallelMachine(program, options);
  const session = new ReplaySession({ machine, state: freshState(machine, 1n) });
  session.feed(entries);
  while (session.advance(1_000_000_000n) === 'behind');
  return hashWholeState(machine);
}

/** A doubleword of RAM. */
export function readDouble(machine: Machine, address: number): bigint {
  const page = machine.savePage(Math.floor((address - 0x8000_0000) / 4096));
  return page === null ? 0n : new DataView(page.buffer).getBigUint64(address % 4096, true);
}

/** Ends a program: hart 0 waits for all harts, and switches off. Uses t0 to t2. */
export function ending(harts: number): string {
  return `
    li t0,0x80100000
    li t1,1
    amoadd.d zero,t1,(t0)
    csrr t1,mhartid
    bnez t1,rest
    li t2,${harts}
  all:
    ld t1,0(t0)
    bne t1,t2,all
    li t0,0x100000
    li t1,0x5555
    sw t1,0(t0)
  rest:
    wfi
    j rest`;
}
