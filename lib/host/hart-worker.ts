/**
 * Where a hart's worker thread begins: waits for its `WorkerStart`, builds the machine and lives in
 * `HartLoop`.
 *
 * Whatever goes wrong here is told to the host as the last report. The host treats it as the
 * death of the node, or, before the machine was ready, as a start that was refused.
 */

import { once } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { present } from '../base/assert.js';
import type { MachineConfig, MachineImages } from '../machine/config.js';
import type { EngineOptions } from '../machine/engine.js';
import type { Machine } from '../machine/machine.js';
import type { MachinePorts } from '../machine/machine-ports.js';
import { HartLoop } from './hart-loop.js';
import { runningSha256 } from './log-store/sha256.js';
import { packError, viewControl, type Report, type WorkerStart } from './hart-messages.js';
import { HART_THREADS } from './hart-threads.js';
import { RISCV_MACHINE } from './machine-module.js';
import { openDisk } from './overlay-file.js';
import { storeEngineFigures } from './progress-reporter.js';

type Factory = (
  config: MachineConfig,
  images: MachineImages,
  engine: EngineOptions,
  ports: MachinePorts,
) => Machine;

/** A module that makes machines; tests bring their own. */
interface FactoryModule {
  readonly createMachine?: Factory;
  readonly createRiscvMachine?: Factory;
}

async function importFactory({ machineFactory }: WorkerStart): Promise<FactoryModule> {
  return (await import(machineFactory)) as FactoryModule;
}

const port = present(parentPort, 'parent port of a worker');

try {
  const ordered = once(port, 'message') as Promise<[WorkerStart]>;
  // Most likely what is asked for; loaded while the host makes up its mind.
  const riscv: FactoryModule = await import('../machine/riscv-machine.js');
  const [start] = await ordered;
  const module = start.machineFactory === RISCV_MACHINE ? riscv : await importFactory(start);
  const create = present(module.createMachine ?? module.createRiscvMachine, 'machine factory');
  const regions = storeEngineFigures(viewControl(start.control));
  const disks = start.disks.map(openDisk);
  const ports = { disks, sha256: runningSha256(), regions, threads: HART_THREADS };
  new HartLoop(start, create(start.config, start.images, start.engine, ports), port).run();
} catch (error) {
  port.postMessage({ kind: 'fatal', error: packError(error) } satisfies Report);
}
