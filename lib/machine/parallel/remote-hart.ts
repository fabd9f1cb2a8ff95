/**
 * A hart that runs on another thread, as the machine sees it between runs: its words, and what is
 * noted of pages for it. What has to be done on its own thread is left to it as an errand.
 */

import { PAGE_WATCHED, type HartMemory } from '../../riscv/hart-memory.js';
import { StandingHart } from './settlement.js';
import { ERRAND, type SharedWords } from './shared-words.js';

export class RemoteHart extends StandingHart {
  private readonly shared: SharedWords;

  constructor(words: SharedWords, memory: HartMemory) {
    super(words, memory);
    this.shared = words;
  }

  /** RAM pages written since the last call, ascending. */
  takeDirtyPages(): number[] {
    const pages = this.memory.takeDirtyPages();
    this.shared.addErrand(this.memory.hart, ERRAND.revokeWrites);
    return pages;
  }

  markAllDirty(): void {
    this.memory.markAllDirty();
  }

  clearPageFlags(): void {
    this.memory.pageFlags.fill(0);
    this.afterRestore();
  }

  afterRestore(): void {
    this.shared.addErrand(this.memory.hart, ERRAND.forgetAll);
  }

  watchPage(physical: number): void {
    const page = this.memory.pageOfHost(this.memory.hostOf(physical));
    this.memory.addFlags(page, PAGE_WATCHED);
    this.afterRestore();
  }

  reset(pc: bigint, registers: readonly (readonly [index: number, value: bigint])[]): void {
    this.resetWords(pc, registers);
    this.afterRestore();
  }
}
