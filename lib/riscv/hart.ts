/**
 * One hart: runs generated code between the moments at which something else must be looked at.
 *
 * `run(limit)` executes until the step counter equals `limit` or an exit condition comes up. Traps
 * and interrupts are taken here at exact steps; what may happen at which step depends on nothing
 * but machine state, so the same calls give the same run on every host.
 */

import { assert } from '../base/assert.js';
import type { MemoryLayout } from '../memory/layout.js';
import { CodeCache } from './code-cache.js';
import { CsrFile } from './csr.js';
import { MAILBOX } from './derived.js';
import { HartView } from './hart-view.js';
import {
  HartMemory,
  PAGE_DIRTY,
  PAGE_HAS_TABLES,
  PAGE_READABLE,
  PAGE_WATCHED,
  PAGE_WRITABLE,
} from './hart-memory.js';
import { instantiate, type HartImports, type InterpreterExports } from './interpreter/instance.js';
import { STATUS_TRAP } from './semantics/access-frame.js';
import { SlowAccess, type MmioPort } from './slow-access.js';
import { SystemInstructions } from './system-instructions.js';
import { Mmu } from './mmu.js';
import { AGAIN, PageRights, RESTART, type OwnershipPort, type PageMode } from './page-rights.js';
import { Pmp } from './pmp.js';
import type { CompilerOptions, RegionCompiler } from './region-port.js';
import { enterTrap, interruptPossible, nextInterrupt, type TrapCause } from './trap.js';

/** What the hart needs of the machine around it. */
export interface HartPorts {
  readonly mmio: MmioPort;
  /** Virtual time at which a device wants `pollDevices`, or null. */
  readonly deviceDeadline: () => bigint | null;
  readonly pollDevices: () => void;
  /**
   * A device goes on with bounded work before the next step, if it has any (`done`); while there is
   * work the hart does not park. `later`: the hart has to return first.
   */
  readonly work: () => 'none' | 'done' | 'later';
  /** True when output or a stop makes it necessary to return to the caller of `run`. */
  readonly mustReturn: () => boolean;
  readonly onInterrupt: (step: bigint, code: number) => void;
  /** Null for the only hart of a machine. */
  readonly ownership: OwnershipPort | null;
}

/** A stretch of as many steps is worth a look at where it ended. */
const SAMPLED_STEPS = 50_000;

/**
 * Why `run` returned before its limit, or `limit`. `restart`: a page could not be had just now, and
 * the instruction that needs it is still to be executed.
 */
export type HartExit = 'limit' | 'parked' | 'must-return' | 'restart';

const MAX_BUDGET = 1 << 30;

export class Hart extends HartView {
  readonly rights: PageRights;
  private readonly mmu: Mmu;
  private readonly pmp: Pmp;
  private readonly code: CodeCache;
  private readonly ports: HartPorts;
  private readonly exports: InterpreterExports;
  private readonly compiler: RegionCompiler | null;
  /** Steps handed to generated code for the present stretch. */
  private budget = 0;
  private running = false;
  /** An instruction that is begun again may be so at once. */
  private mayGoOn = false;

  constructor(options: {
    readonly hart: number;
    readonly layout: MemoryLayout;
    readonly memory: WebAssemblyMemory;
    readonly ports: HartPorts;
    /** The compiler of hot code; null interprets everything. */
    readonly compiler: CompilerOptions | null;
  }) {
    super(new HartMemory(options.hart, options.layout, options.memory.buffer), options.ports);
    this.ports = options.ports;
    this.pmp = new Pmp(this.memory);
    this.rights = new PageRights(this.memory, options.ports.ownership);
    this.mmu = new Mmu(this.memory, this.pmp, this.rights);
    this.code = new CodeCache(this.memory);
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
        step: () => this.step(),
        callees: { ...interpreter.exports, ...imports, memory: options.memory },
        table: interpreter.table,
      }) ?? null;
    this.code.onChange = {
      stored: (page, first, last) => this.compiler?.stored(page, first, last) ?? 'none',
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
      ...this.restartable(access.imports()),
      ...this.restartable(system.imports()),
      hot: (slot = 0) => {
        this.compiler?.hot(slot);
        return 0;
      },
      validateEntry: (entry = 0) => (this.compiler?.validate(entry) === true ? 1 : 0),
    };
  }

  /** `RESTART` and `AGAIN` make generated code leave the instruction as for a trap. */
  private restartable<T extends Partial<HartImports>>(imports: T): T {
    if (!this.rights.isShared) return imports;
    const { view, mailbox } = this.memory;
    const guarded = Object.entries(imports).map(([name, slow]) => {
      const failed = name === 'atomicAddress' ? 0 : STATUS_TRAP;
      const guard = (a = 0, b = 0, c = 0, d = 0): number => {
        try {
          return slow(a, b, c, d);
        } catch (error) {
          if (error !== RESTART && error !== AGAIN) throw error;
          this.mayGoOn = error === AGAIN;
          view.setInt32(mailbox + MAILBOX.restart, 1, true);
          return failed;
        }
      };
      return [name, guard] as const;
    });
    return { ...imports, ...Object.fromEntries(guarded) };
  }

  /** Steps counted, exact at any moment, also from inside a slow operation. */
  override step(): bigint {
    const base = this.get('step');
    if (!this.running) return base;
    const left = this.memory.view.getInt32(this.memory.mailbox + MAILBOX.budgetLeft, true);
    return base + BigInt(this.budget - left);
  }

  /** Runs until the step counter is `limit`. */
  run(limit: bigint): HartExit {
    const last = Number(limit);
    assert(Number.isSafeInteger(last), 'a limit below 2^53 steps', limit);
    const begun = Number(this.get('step'));
    for (;;) {
      const step = Number(this.get('step'));
      assert(step <= last, 'the hart is not beyond its limit', step);
      if (this.ports.mustReturn()) return 'must-return';
      if (step === last) {
        if (last - begun >= SAMPLED_STEPS) this.compiler?.sample();
        return 'limit';
      }
      const work = this.ports.work();
      if (work === 'later') return 'restart';
      const busy = work === 'done';
      if (busy) this.put('parked', 0n);
      if (busy && this.ports.mustReturn()) return 'must-return';
      if (this.parked) return 'parked';
      if (step >= this.timers.dueStep) this.timers.update();
      const code = interruptPossible(this.block) ? nextInterrupt(this.block) : null;
      if (code !== null) {
        this.takeInterrupt(code);
        continue;
      }
      const until = busy ? step + 1 : Math.min(this.timers.dueStep, last);
      if (!this.runGenerated(until - step) && !this.mayGoOn) return 'restart';
    }
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

  /** Every page may have been taken, and memory and words have been changed. */
  forgetPages(): void {
    const { pageFlags } = this.memory;
    const kept = PAGE_DIRTY | PAGE_WATCHED;
    for (let page = 0; page < pageFlags.length; page++) {
      pageFlags[page] = (pageFlags[page] ?? 0) & kept;
    }
    this.afterRestore();
  }

  /** Stores to every page have to ask from now on: dirty pages were taken. */
  revokeWrites(): void {
    this.mmu.cache.revokeAllWrites();
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
    const pages = this.memory.takeDirtyPages();
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
    this.memory.markAllDirty();
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

  /** Sets the state in which firmware is entered (`resetWords`), and derives what follows. */
  reset(pc: bigint, registers: readonly (readonly [index: number, value: bigint])[]): void {
    this.resetWords(pc, registers);
    this.afterRestore();
  }

  /** False if an instruction could not be begun, and is the next one still. */
  private runGenerated(steps: number): boolean {
    this.budget = Math.min(steps, MAX_BUDGET);
    this.memory.view.setInt32(this.memory.mailbox + MAILBOX.budgetLeft, this.budget, true);
    this.running = true;
    this.exports.run(this.budget);
    const { view, mailbox } = this.memory;
    const isDone = view.getInt32(mailbox + MAILBOX.restart, true) === 0;
    if (!isDone) view.setInt32(mailbox + MAILBOX.restart, 0, true);
    const step = this.step();
    this.running = false;
    this.put('step', step);
    return isDone;
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
