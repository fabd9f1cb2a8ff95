/**
 * Chooses how the harts of a machine share host threads: by turns on one, or on a thread each.
 */

import { LockstepError } from '../base/error.js';
import type { MachineConfig } from './config.js';
import type { EngineOptions } from './engine.js';
import type { HartSchedule, ScheduleHost } from './hart-schedule.js';
import { HartTurns } from './hart-turns.js';
import { ParallelHarts } from './parallel/parallel-harts.js';
import type { ThreadPort } from './parallel/hart-thread.js';

/** USAGE where harts are to run in parallel and the host gives no threads. */
export function createSchedule(
  host: ScheduleHost,
  parts: {
    readonly config: MachineConfig;
    readonly engine: EngineOptions;
    readonly threads: ThreadPort | null;
    readonly tohost: number | null;
  },
): HartSchedule {
  const { config, engine, threads, tohost } = parts;
  if (config.schedule === 'turns') return new HartTurns(host);
  if (threads === null) {
    throw new LockstepError('USAGE', 'harts in parallel need threads, which are not given here');
  }
  return new ParallelHarts(host, threads, (hart) =>
    threads.start({ hart, config, engine, memory: host.memory, tohost }),
  );
}
