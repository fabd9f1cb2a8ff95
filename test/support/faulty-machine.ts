/**
 * The real machine with one bit flipped underneath it at a chosen step, as by a cosmic ray: no
 * dirty page, no cache and no check is told.
 *
 * The fault is in the environment, so that a worker of another process has it too:
 *
 *   LOCKSTEP_TEST_FLIP='STEP word NAME BIT'        such as "5000 word hart0.x[10] 3"
 *   LOCKSTEP_TEST_FLIP='STEP page NUMBER BIT'      a bit of a page, counted from its start
 */

import { present } from '../../lib/base/assert.js';
import type { MachineConfig, MachineImages } from '../../lib/machine/config.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine } from '../../lib/machine/machine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import type { MemoryLayout } from '../../lib/memory/layout.js';

const FLIP = /^(\d+) (word|page) (\S+) (\d+)$/;

interface Inside {
  readonly buffer: ArrayBufferLike;
  readonly layout: MemoryLayout;
}

export function createMachine(
  config: MachineConfig,
  images: MachineImages,
  engine: EngineOptions,
): Machine {
  const machine = createRiscvMachine(config, images, engine);
  const order = FLIP.exec(process.env['LOCKSTEP_TEST_FLIP'] ?? '');
  const [, stepText = '0', kind = '', place = '', bit = ''] = present(order, 'a fault to make');
  const faultStep = BigInt(stepText);
  const run = machine.runUntil.bind(machine);
  let isDone = false;
  machine.runFor = (steps) => machine.runUntil({ hart: 0, step: machine.step(0) + steps });
  machine.runUntil = (point, mostSteps) => {
    if (mostSteps !== undefined && machine.step(0) + mostSteps < point.step) {
      return machine.runUntil({ hart: 0, step: machine.step(0) + mostSteps });
    }
    while (!isDone && machine.step(0) < faultStep && faultStep < point.step) {
      const result = run({ hart: point.hart, step: faultStep });
      if (machine.step(0) < faultStep) return result;
    }
    if (!isDone && machine.step(0) === faultStep) {
      isDone = true;
      flip(machine, kind === 'word' ? wordAt(machine, place) : pageAt(machine, place), Number(bit));
    }
    return run(point);
  };
  return machine;
}

function inside(machine: Machine): Inside {
  return machine as unknown as Inside;
}

function wordAt(machine: Machine, name: string): number {
  const index = [...machine.words().keys()].find((word) => machine.wordName(word) === name);
  return inside(machine).layout.wordsStart + present(index, name) * 8;
}

function pageAt(machine: Machine, number: string): number {
  return inside(machine).layout.ramOffset + Number(number) * 4096;
}

function flip(machine: Machine, at: number, bit: number): void {
  const bytes = new Uint8Array(inside(machine).buffer, at + (bit >> 3), 1);
  bytes[0] = present(bytes[0], 'byte') ^ (1 << (bit & 7));
}
