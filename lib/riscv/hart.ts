/**
 * One hart: runs generated code between the moments at which something else must be looked at.
 *
 * `run(limit)` executes until the step counter equals `limit` or an exit condition comes up. Traps
 * and interrupts are taken here at exact steps; what may happen at which step depends on nothing
 * but machine state, so the same calls give the same run on every host.
 */

import { assert } from '../base/assert.js';
import type { WordBlock } from '../memory/word-block.js';
import type { MemoryLayout } from '../memory/layout.js';
import { CodeCache } from './code-cache.js';
import { CsrFile } from './csr.js';
import { MAILBOX } from './derived.js';
import { HartTimers, setLine } from './hart-timers.js';
import { HART_WORD, X_OFFSET, type HartField } from './hart-state.js';
import {
  HartMemory,
  PAGE_DIRTY,
  PAGE_HAS_TABLES,
  PAGE_READABLE,
  PAGE_WATCHED,
  PAGE_WRITABLE,
} from './hart-memory.js';
import { instantiate, type HartImports, type InterpreterExports } from './interpreter/instance.js';
import { SlowAccess, type MmioPort } from './slow-access.js';
import { SystemInstructions } from './system-instructions.js';
import { Mmu } from './mmu.js';
import { PageRights, type OwnershipPort, type PageMode } from './page-rights.js';
import { Pmp } from './pmp.js';
import { MACHINE, MSTATUS } from './privilege.js';
import type { CompilerOptions, RegionCompiler } from './region-port.js';
import { enterTrap, interruptPossible, nextInterrupt, type TrapCause } from './trap.js';

/** What the hart needs of the machine around it. */
export interface HartPorts {
  readonly mmio: MmioPort;
  /** Virtual time at which a device wants `pollDevices`, or null. */
  readonly deviceDeadline: () => bigint | null;
  readonly pollDevices: () => void;
  /** A device has bounded work left, which goes on at every step; the hart does not park. */
  readonly busy: () => boolean;
  /** True when output or a stop makes it necessary to return to the caller of `run`. */
  readonly mustReturn: () => boolean;
  readonly onInterrupt: (step: bigint, code: number) => void;
  /** Null for the only hart of a machine. */
  readonly ownership: OwnershipPort | null;
}

/** Why `run` returned before its limit, or `limit`. */
export type HartExit = 'limit' | 'parked' | 'must-return';

const MAX_BUDGET = 1 << 30;
const NEVER = (1n << 64n) - 1n;

export class Hart {
  readonly memory: HartMemory;
  readonly block: WordBlock;
  readonly rights: PageRights;
  readonly timers: HartTimers;
  private readonly mmu: Mmu;
  private readonly pmp: Pmp;
  private readonly code: CodeCache;
  private readonly ports: HartPorts;
  private readonly exports: InterpreterExports;
  private readonly compiler: RegionCompiler | null;
  /** Steps handed to generated code for the present stretch. */
  private budget = 0;
  private running = false;

  constructor(options: {
    readonly hart: number;
    readonly layout: MemoryLayout;
    readonly memory: WebAssemblyMemory;
    readonly ports: HartPorts;
    /** The compiler of hot code; null interprets everything. */
    readonly compiler: CompilerOptions | null;
  }) {
    this.ports = options.ports;
    this.memory = new HartMemory(options.hart, options.layout, options.memory.buffer);
    this.block = this.memory.block;
    this.pmp = new Pmp(this.memory);
    this.rights = new PageRights(this.memory, options.ports.ownership);
    this.mmu = new Mmu(this.memory, this.pmp, this.rights);
    this.code = new CodeCache(this.memory);
    const { deviceDeadline, pollDevices } = options.ports;
    this.timers = new HartTimers(this.block, {
      step: () => this.step(),
      deviceDeadline,
      pollDevices,
    });
    const imports = this.createImports(options.hart, options.ports.mmio);
    const interpreter = instantiate(this.memory, imports, {
      memory: options.memory,
      hotAfter: options.compiler?.hotAfter ?? 0,
    });
    this.exports = interpreter.exports;
    this.compiler =
      options.compiler?.create({
        memory: this.memory,
        mmu: this.mmu,
        rights: this.rights,
        code: this.code,
        addresses: interpreter.addresses,
        limits: interpreter.limits,
        callees: { ...interpreter.exports, ...imports, memory: options.memory },
        table: interpreter.table,
      }) ?? null;
    this.code.onChange = {
      changed: (page) => this.compiler?.dropPage(page) ?? false,
      retired: (slots) => this.mmu.cache.forgetSlots(slots),
      cleared: () => this.compiler?.clear(),
    };
    this.mmu.cache.onEpochsSpent = () => this.compiler?.clear();
    this.mmu.hasCompiledCode = (at) => this.compiler?.covers(at) ?? false;
    this.afterRestore();
  }

  /** What generated code calls: slow accesses, system instructions, the compiler. */
  private createImports(hart: number, mmio: MmioPort): HartImports {
    const raise = (code: number, value: bigint): void => this.raise(code, value);
    const access = new SlowAccess({
      memory: this.memory,
      mmu: this.mmu,
      rights: this.rights,
      code: this.code,
      mmio: {
        read: (physical, bytes) => mmio.read(physical, bytes),
        write: (physical, bytes, value) => {
          // A device's alarm or the CLINT's timer may have been set.
          this.timers.changed();
          return mmio.write(physical, bytes, value);
        },
      },
      raise,
    });
    const csr = new CsrFile({
      block: this.block,
      pmp: this.pmp,
      mmu: this.mmu,
      hart,
      counters: {
        retired: () => this.retired(),
        time: () => this.time(),
        timerChanged: () => this.timers.changed(),
      },
    });
    const system = new SystemInstructions({
      block: this.block,
      mmu: this.mmu,
      csr,
      raise,
      instructionBits: () => access.instructionBits(),
    });
    return {
      ...access.imports(),
      ...system.imports(),
      hot: (slot = 0) => {
        this.compiler?.hot(slot);
        return 0;
      },
      validateEntry: (entry = 0) => (this.compiler?.validate(entry) === true ? 1 : 0),
    };
  }

  /** Steps counted, exact at any moment, also from inside a slow operation. */
  step(): bigint {
    const base = this.get('step');
    if (!this.running) return base;
    const left = this.memory.view.getInt32(this.memory.mailbox + MAILBOX.budgetLeft, true);
    return base + BigInt(this.budget - left);
  }

  retired(): bigint {
    return this.step() - this.get('traps');
  }

  /** Virtual time in timebase ticks. */
  time(): bigint {
    return this.timers.time();
  }

  get parked(): boolean {
    return this.block.halves[HART_WORD.parked * 2] !== 0;
  }

  /** Runs until the step counter is `limit`. */
  run(limit: bigint): HartExit {
    const last = Number(limit);
    assert(Number.isSafeInteger(last), `limit ${limit} is beyond 2^53 steps`);
    for (;;) {
      const step = Number(this.get('step'));
      assert(step <= last, `hart is at step ${step}, beyond ${limit}`);
      if (this.ports.mustReturn()) return 'must-return';
      if (step === last) return 'limit';
      const busy = this.ports.busy();
      if (busy) this.put('parked', 0n);
      if (this.parked) return 'parked';
      if (step >= this.timers.dueStep) this.timers.update();
      const code = interruptPossible(this.block) ? nextInterrupt(this.block) : null;
      if (code !== null) {
        this.takeInterrupt(code);
        continue;
      }
      const until = busy ? step + 1 : Math.min(this.timers.dueStep, last);
      this.runGenerated(until - step);
    }
  }

  /** Sets or clears an interrupt line (a bit of mip) from a device. */
  setLine(code: number, level: boolean): void {
    setLine(this.block, code, level);
  }

  /** From the present step on, time advances by `rate` / 2^32 ticks a step. */
  rebase(rate: bigint): void {
    this.timers.set(this.time(), rate);
  }

  /** Goes on with the time of a hart that ran before, if it is later; time never runs back. */
  follow(time: bigint, rate: bigint): void {
    const own = this.time();
    this.timers.set(time > own ? time : own, rate);
  }

  /** Ends the wait of WFI where an enabled interrupt is pending (section 3.3.3). */
  unparkIfPending(): void {
    if (!this.parked) return;
    this.timers.update();
    if (interruptPossible(this.block)) this.put('parked', 0n);
  }

  wake(time: bigint): void {
    assert(this.parked, `wake of hart ${this.memory.hart}, which is not parked`);
    assert(time >= this.time(), `wake to ${time}, before ${this.time()}`);
    this.put('parked', 0n);
    this.timers.set(time, this.timers.rate);
  }

  /** Before a device reads RAM, and before it writes. */
  claim(physical: number, bytes: number, mode: PageMode): void {
    if (bytes === 0) return;
    const first = this.memory.pageOfHost(this.memory.hostOf(physical));
    const last = this.memory.pageOfHost(this.memory.hostOf(physical + bytes - 1));
    for (let page = first; page <= last; page++) {
      if (mode === 'write') this.rights.write(page);
      else this.rights.read(page);
    }
  }

  /** Another hart takes a page from this one, wholly or only the right to write it. */
  losePage(page: number, left: 'nothing' | 'read'): void {
    if (left === 'read') {
      this.mmu.cache.revokeWrites(page);
      this.memory.removeFlags(page, PAGE_WRITABLE);
      return;
    }
    this.code.forgetPage(page);
    this.mmu.losePage(page);
    this.memory.removeFlags(page, PAGE_READABLE | PAGE_WRITABLE);
  }

  /** A store by a device: marks the page and drops what was derived from its bytes. */
  noteDmaWrite(physical: number, bytes: number): void {
    let host = this.memory.hostOf(physical);
    const end = host + bytes;
    let tables = false;
    while (host < end) {
      const page = this.memory.pageOfHost(host);
      const length = Math.min(end, this.memory.hostOfPage(page + 1)) - host;
      this.code.invalidate(page, host, length);
      tables ||= (this.memory.flags(page) & PAGE_HAS_TABLES) !== 0;
      this.memory.addFlags(page, PAGE_DIRTY);
      host += length;
    }
    // Page tables written by a device: drop everything that may come from them.
    if (tables) this.mmu.flush();
  }

  /** RAM pages written since the last call, ascending. */
  takeDirtyPages(): number[] {
    const flags = this.memory.pageFlags;
    const pages: number[] = [];
    for (let page = 0; page < flags.length; page++) {
      const value = flags[page] ?? 0;
      if ((value & PAGE_DIRTY) === 0) continue;
      flags[page] = value & ~PAGE_DIRTY;
      pages.push(page);
    }
    this.mmu.cache.revokeAllWrites();
    return pages;
  }

  hashPage(page: number): bigint {
    return BigInt.asUintN(64, this.exports.hashPage(this.memory.hostOfPage(page)));
  }

  /** Forgets what was noted of RAM pages, with everything derived from them. */
  clearPageFlags(): void {
    this.code.clear();
    this.mmu.flush();
    this.memory.pageFlags.fill(0);
  }

  /** All of RAM has changed. */
  markAllDirty(): void {
    for (let page = 0; page < this.memory.pageFlags.length; page++) {
      this.memory.addFlags(page, PAGE_DIRTY);
    }
  }

  /** Every store to the page of `physical` returns from `run`'s generated code. */
  watchPage(physical: number): void {
    const page = this.memory.pageOfHost(this.memory.hostOf(physical));
    this.memory.addFlags(page, PAGE_WATCHED);
    this.mmu.cache.revokeWrites(page);
  }

  /** Rebuilds everything derived, after the words or RAM were set from outside. */
  afterRestore(): void {
    this.code.clear();
    this.pmp.rebuild();
    this.mmu.flush();
    this.mmu.updateContext();
    this.timers.changed();
  }

  /** Clears every word; what is given back restores the counts of steps and of time. */
  clearWords(): () => void {
    const fields = ['step', 'traps', 'timeBase', 'timeStep', 'timeRate'] as const;
    const kept = fields.map((field) => [field, this.get(field)] as const);
    this.block.words.fill(0n);
    return () => {
      for (const [field, value] of kept) this.put(field, value);
    };
  }

  /** Sets the state in which firmware is entered: M mode at `pc` (section 3.4). */
  reset(pc: bigint, registers: readonly (readonly [index: number, value: bigint])[]): void {
    this.put('pc', pc);
    this.put('privilege', BigInt(MACHINE));
    this.put('mstatus', this.get('mstatus') & ~(MSTATUS.MIE | MSTATUS.MPRV));
    this.put('stimecmp', NEVER);
    for (const [index, value] of registers) this.block.set(X_OFFSET / 8 + index, value);
    this.afterRestore();
  }

  private get(field: HartField): bigint {
    return this.block.get(HART_WORD[field]);
  }

  private put(field: HartField, value: bigint): void {
    this.block.set(HART_WORD[field], value);
  }

  private runGenerated(steps: number): void {
    this.budget = Math.min(steps, MAX_BUDGET);
    this.memory.view.setInt32(this.memory.mailbox + MAILBOX.budgetLeft, this.budget, true);
    this.running = true;
    this.exports.run(this.budget);
    const step = this.step();
    this.running = false;
    this.put('step', step);
  }

  private raise(code: number, value: bigint): void {
    this.enter({ interrupt: false, code, value });
  }

  private takeInterrupt(code: number): void {
    const step = this.get('step');
    this.ports.onInterrupt(step, code);
    this.enter({ interrupt: true, code, value: 0n });
    this.put('step', step + 1n);
  }

  private enter(cause: TrapCause): void {
    enterTrap(this.block, cause);
    this.mmu.updateContext();
  }
}

/** The part of `WebAssembly.Memory` used here; the zone has no DOM types. */
export interface WebAssemblyMemory {
  readonly buffer: ArrayBufferLike;
}
