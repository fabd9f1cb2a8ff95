/**
 * A small machine for guest programs of tests: RAM and any word are set from outside by a restore,
 * so that one machine serves thousands of programs, and state is read back by name.
 */

import { createHash } from 'node:crypto';
import { UNOBSERVED, type RegionObserver } from '../../lib/jit/region-observer.js';
import { DEFAULT_RATE, RAM_BASE, type MachineConfig } from '../../lib/machine/config.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine, RunResult } from '../../lib/machine/machine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import { FLOAT_REGISTERS, INTEGER_REGISTERS } from '../../lib/riscv/disassemble.js';
import type { Assembled } from './assembler.js';

export const PROGRAM_MEMORY_BYTES = 2 * 2 ** 20;
export const PAGE = 4096;

export const PROGRAM_CONFIG: MachineConfig = {
  memoryBytes: PROGRAM_MEMORY_BYTES,
  harts: 1,
  schedule: 'turns',
  append: '',
  initialRate: DEFAULT_RATE,
  rtcStartSeconds: 0n,
  rngSeed: new Uint8Array(0),
  network: null,
  disks: [],
};

/** Firmware that only loops: programs replace it. */
const IDLE_FIRMWARE = Uint8Array.of(0x6f, 0, 0, 0);

export const INTERPRETER: EngineOptions = { engine: 'interpreter', hotAfter: 1 };
/** Compiles whatever is met twice, so that short programs run compiled. */
export const COMPILER: EngineOptions = { engine: 'compiler', hotAfter: 2 };
/** The same, with all that is done otherwise for what is hot for long. */
export const THOROUGH: EngineOptions = { ...COMPILER, thoroughAfter: 0 };

/** Bytes of RAM by address; later ones win. */
export type Memory = readonly (readonly [address: number, bytes: Uint8Array])[];
export type Words = Readonly<Record<string, bigint>>;

export class Guest {
  readonly machine: Machine;
  private readonly powerOn: Uint8Array;
  private readonly places = new Map<string, number>();

  constructor(
    engine: EngineOptions = INTERPRETER,
    regions: RegionObserver = UNOBSERVED,
    harts: number = PROGRAM_CONFIG.harts,
  ) {
    const images = { bios: IDLE_FIRMWARE, kernel: null, initrd: null };
    this.machine = createRiscvMachine({ ...PROGRAM_CONFIG, harts }, images, engine, { regions });
    this.powerOn = this.machine.saveWords();
    const count = this.powerOn.length / 8;
    for (let index = 0; index < count; index++)
      this.places.set(this.machine.wordName(index), index);
  }

  /** Power-on state with RAM zero but for `memory`, changed by `words`; pc is where RAM starts. */
  load(memory: Memory, words: Words = {}): this {
    return this.put(this.powerOn, pagesOf(memory), { pc: BigInt(RAM_BASE), ...words });
  }

  /** Loads one program in M mode with every address allowed to S and U. */
  program(program: Assembled, words: Words = {}): this {
    return this.load([[program.base, program.bytes]], {
      pc: BigInt(program.base),
      ...OPEN_PMP,
      ...words,
    });
  }

  /** Changes words of the present state; everything derived is rebuilt. */
  change(words: Words): this {
    return this.put(this.machine.saveWords(), this.pages(), words);
  }

  /** The state of another machine, as a snapshot would bring it. */
  copyFrom(other: Guest): this {
    return this.put(other.machine.saveWords(), other.pages(), {});
  }

  get(name: string): bigint {
    return this.machine.words()[this.place(name)] ?? 0n;
  }

  get step(): bigint {
    return this.machine.step(0);
  }

  /** Runs `steps` more steps. */
  run(steps: number | bigint): RunResult {
    return this.runUntil(this.step + BigInt(steps));
  }

  runUntil(step: bigint): RunResult {
    return this.machine.runUntil({ hart: 0, step });
  }

  /** Runs step by step until pc is `address`. */
  runTo(address: bigint, limit = 10_000): this {
    for (let count = 0; this.get('pc') !== address; count++) {
      if (count === limit) {
        throw new Error(`pc 0x${this.get('pc').toString(16)}, not 0x${address.toString(16)}`);
      }
      this.run(1);
    }
    return this;
  }

  read(address: number, bytes: number): bigint {
    let value = 0n;
    for (let at = address + bytes - 1; at >= address; at--) {
      const page = this.machine.savePage(Math.floor((at - RAM_BASE) / PAGE));
      value = (value << 8n) | BigInt(page?.[(at - RAM_BASE) % PAGE] ?? 0);
    }
    return value;
  }

  /** A hash over all words and all of RAM. */
  fingerprint(): string {
    const hash = createHash('sha256').update(this.machine.saveWords());
    for (const [page, bytes] of this.pages()) hash.update(`${page}:`).update(bytes);
    return hash.digest('hex');
  }

  pages(): [number, Uint8Array][] {
    return Array.from({ length: this.machine.ramPageCount }, (_, page) => page).flatMap((page) => {
      const bytes = this.machine.savePage(page);
      return bytes === null ? [] : [[page, bytes] as [number, Uint8Array]];
    });
  }

  private put(from: Uint8Array, pages: [number, Uint8Array][], words: Words): this {
    const image = from.slice();
    const view = new DataView(image.buffer);
    for (const [name, value] of Object.entries(words)) {
      view.setBigUint64(this.place(name) * 8, BigInt.asUintN(64, value), true);
    }
    this.machine.restore(image, pages);
    return this;
  }

  private place(name: string): number {
    const integer = INTEGER_REGISTERS.indexOf(name);
    const float = FLOAT_REGISTERS.indexOf(name);
    const full = integer >= 0 ? `x[${integer}]` : float >= 0 ? `f[${float}]` : name;
    const place = this.places.get(`hart0.${full}`) ?? this.places.get(name);
    if (place === undefined) throw new Error(`no word ${name}`);
    return place;
  }
}

/** PMP entry 0 gives S and U everything. */
export const OPEN_PMP: Words = { 'hart0.pmpcfg[0]': 0x1fn, 'hart0.pmpaddr[0]': (1n << 54n) - 1n };

function pagesOf(memory: Memory): [number, Uint8Array][] {
  const pages = new Map<number, Uint8Array>();
  for (const [address, bytes] of memory) {
    for (let index = 0; index < bytes.length;) {
      const at = address - RAM_BASE + index;
      const page = Math.floor(at / PAGE);
      const target = pages.get(page) ?? new Uint8Array(PAGE);
      const part = bytes.subarray(index, index + PAGE - (at % PAGE));
      target.set(part, at % PAGE);
      pages.set(page, target);
      index += part.length;
    }
  }
  return [...pages];
}
