/**
 * Runs a program of `guest/bench` on a machine that lacks something, so that its cost shows:
 *
 *   counted    nothing is lacking: the engine counts, nobody keeps a log
 *   uncounted  compiled code doesn't count steps
 *   recorded   a log is made, with state hashes, and dropped
 *   unhashed   the same without the hashes
 *
 * `node variant-run.js VARIANT FILE` prints one JSON object. The time is what the
 * processor spent on the guest, which the load of the machine changes little.
 */

import { readFile } from 'node:fs/promises';
import { assert } from '../../lib/base/assert.js';
import { setEngineFlags } from '../../lib/host/engine-flags.js';
import { DEFAULT_ENGINE } from '../../lib/machine/engine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { RecordSession } from '../../lib/session/record-session.js';
import { freshState } from '../../lib/session/session-state.js';
import { StateCheck } from '../../lib/session/state-check.js';
import { PROGRAM_CONFIG } from '../support/program.js';

const VARIANTS = ['counted', 'uncounted', 'recorded', 'unhashed'] as const;
export type Variant = (typeof VARIANTS)[number];

export interface VariantAnswer {
  readonly seconds: number;
  readonly text: string;
}

const MEMORY_BYTES = 128 << 20;

function run(variant: Variant, kernel: Uint8Array): VariantAnswer {
  setEngineFlags();
  if (variant === 'unhashed') leaveOutHashes();
  const config = { ...PROGRAM_CONFIG, memoryBytes: MEMORY_BYTES };
  const images = { bios: null, kernel, initrd: null };
  const counting = variant !== 'uncounted';
  // What is not counted is not sampled either, so that it would never be compiled thoroughly.
  const compared = variant === 'counted' || variant === 'uncounted';
  const engine = { ...DEFAULT_ENGINE, counting, ...(compared ? { thoroughAfter: 0 } : {}) };
  const machine = createRiscvMachine(config, images, engine);
  const session = new RecordSession({
    machine,
    ports: {
      monotonicNs: () => process.hrtime.bigint(),
      randomBytes: (count) => new Uint8Array(count),
    },
    state: freshState(machine, 1n),
    epoch: 1n,
    clock: 'steps',
    initialRate: config.initialRate,
    log: variant === 'recorded' || variant === 'unhashed',
  });
  let text = '';
  const before = process.cpuUsage();
  for (;;) {
    const status = session.runSlice();
    for (const { stream, bytes } of session.takeRecorded().outputs) {
      if (stream === 'uart') text += Buffer.from(bytes).toString('latin1');
    }
    if (status.kind === 'running') continue;
    assert(status.kind === 'stopped', `a benchmark is ${status.kind}`);
    const { user, system } = process.cpuUsage(before);
    return { seconds: (user + system) / 1e6, text };
  }
}

function leaveOutHashes(): void {
  StateCheck.prototype.note = () => undefined;
  StateCheck.prototype.describe = () => ({ hash: 0n, words: [], pages: null });
}

const [name, file = ''] = process.argv.slice(2);
const variant = VARIANTS.find((candidate) => candidate === name);
assert(variant !== undefined, `no variant ${name}`);
process.stdout.write(`${JSON.stringify(run(variant, await readFile(file)))}\n`);
