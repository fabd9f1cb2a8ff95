/**
 * Platform-level interrupt controller, in the layout of QEMU's virt ("sifive,plic-1.0.0").
 *
 *   0x000000 + 4 * source            priority, 0 (never) to 7
 *   0x001000                         pending bits
 *   0x002000 + 0x80 * context        enable bits
 *   0x200000 + 0x1000 * context      threshold, then claim (read) and complete (write)
 *
 * Context 2h is hart h in M mode, 2h + 1 in S mode. Every source is level-triggered. Its gateway
 * holds back further requests from the moment of forwarding until completion:
 *
 *   line high, gateway open --> pending --claim--> in service --complete--> gateway open
 *
 * Invariant: a source is never pending and in service at once, and a pending source stays pending
 * when its line drops (PLIC specification 1.0, chapter 6). A completion for a source that the
 * context has not enabled is ignored, and a claim is not affected by the threshold (chapter 9).
 */

import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { InterruptLine, MmioDevice } from './port.js';

/** Source numbers are 1 to 95; 0 means "none". */
export const PLIC_SOURCES = 96;
const SOURCE_HALVES = PLIC_SOURCES / 32;
const PENDING = 0x1000;
const ENABLE = 0x2000;
const ENABLE_STRIDE = 0x80;
const CONTEXT = 0x20_0000;
const CONTEXT_STRIDE = 0x1000;
const PRIORITY_MASK = 7;

export function plicSpec(harts: number): WordBlockSpec {
  const contexts = harts * 2;
  return {
    name: 'plic',
    fields: [
      ['priority', PLIC_SOURCES],
      ['line', 2],
      ['pending', 2],
      ['inService', 2],
      ['enable', contexts * 2],
      ['threshold', contexts],
    ],
  };
}

export interface PlicOptions {
  readonly base: number;
  readonly harts: number;
  /** Drives the hart's external interrupt line: mip.MEIP or mip.SEIP. */
  readonly setExternal: (hart: number, mode: 'M' | 'S', level: boolean) => void;
}

export class Plic implements MmioDevice {
  readonly name = 'plic';
  readonly base: number;
  readonly sizeBytes = 0x60_0000;
  private readonly options: PlicOptions;
  private readonly contexts: number;
  /** 32-bit halves of the block; the fields below are indices into it. */
  private readonly halves: Uint32Array;
  private readonly priority: number;
  private readonly line: number;
  private readonly pending: number;
  private readonly inService: number;
  private readonly enable: number;
  private readonly threshold: number;

  /** `block` has `plicSpec(options.harts)`. */
  constructor(block: WordBlock, options: PlicOptions) {
    this.base = options.base;
    this.options = options;
    this.contexts = options.harts * 2;
    this.halves = block.halves;
    this.priority = block.index('priority') * 2;
    this.line = block.index('line') * 2;
    this.pending = block.index('pending') * 2;
    this.inService = block.index('inService') * 2;
    this.enable = block.index('enable') * 2;
    this.threshold = block.index('threshold') * 2;
  }

  /** State at power-on: every line low, nothing enabled. */
  reset(): void {
    this.halves.fill(0);
    this.drive();
  }

  /** The line of `source`, 1 to 95, as a port for a device. */
  lineOf(source: number): InterruptLine {
    return { set: (level) => this.setLine(source, level) };
  }

  setLine(source: number, level: boolean): void {
    if (this.bit(this.line, source) === level) return;
    this.setBit(this.line, source, level);
    if (level) this.request(source);
  }

  /** The gateway: forwards a high line unless a request is already on its way. */
  private request(source: number): void {
    if (!this.bit(this.line, source) || this.bit(this.inService, source)) return;
    this.setBit(this.pending, source, true);
    this.drive();
  }

  read(offset: number, bytes: number): bigint {
    return bytes === 4 ? BigInt(this.readHalf(offset) >>> 0) : 0n;
  }

  private readHalf(offset: number): number {
    if (offset < PLIC_SOURCES * 4) return this.half(this.priority + offset / 2);
    if (offset >= PENDING && offset < PENDING + SOURCE_HALVES * 4) {
      return this.half(this.pending + (offset - PENDING) / 4);
    }
    const enable = this.enableIndex(offset);
    if (enable !== undefined) return this.half(enable);
    const context = this.contextOf(offset);
    if (context === undefined) return 0;
    const register = offset % CONTEXT_STRIDE;
    if (register === 0) return this.half(this.threshold + context * 2);
    return register === 4 ? this.claim(context) : 0;
  }

  write(offset: number, bytes: number, value: bigint): void {
    if (bytes === 4) this.writeHalf(offset, Number(value & 0xffff_ffffn));
  }

  private writeHalf(offset: number, value: number): void {
    if (offset >= 4 && offset < PLIC_SOURCES * 4) {
      this.halves[this.priority + offset / 2] = value & PRIORITY_MASK;
      this.drive();
      return;
    }
    const enable = this.enableIndex(offset);
    if (enable !== undefined) {
      const first = (offset - ENABLE) % ENABLE_STRIDE === 0;
      this.halves[enable] = first ? value & ~1 : value;
      this.drive();
      return;
    }
    const context = this.contextOf(offset);
    if (context === undefined) return;
    const register = offset % CONTEXT_STRIDE;
    if (register === 0) {
      this.halves[this.threshold + context * 2] = value & PRIORITY_MASK;
      this.drive();
    } else if (register === 4) {
      this.complete(context, value);
    }
  }

  /** Index of the enable word at `offset`, if there is one. */
  private enableIndex(offset: number): number | undefined {
    if (offset < ENABLE || offset >= ENABLE + this.contexts * ENABLE_STRIDE) return undefined;
    const context = Math.floor((offset - ENABLE) / ENABLE_STRIDE);
    const word = ((offset - ENABLE) % ENABLE_STRIDE) / 4;
    return word < SOURCE_HALVES ? this.enable + context * 4 + word : undefined;
  }

  private contextOf(offset: number): number | undefined {
    const context = Math.floor((offset - CONTEXT) / CONTEXT_STRIDE);
    return context >= 0 && context < this.contexts ? context : undefined;
  }

  /** The enabled pending source of highest priority, the lowest number among equals, or 0. */
  private best(context: number): number {
    let best = 0;
    let bestPriority = 0;
    for (let word = 0; word < SOURCE_HALVES; word++) {
      let bits = this.half(this.pending + word) & this.half(this.enable + context * 4 + word);
      while (bits !== 0) {
        const source = word * 32 + (31 - Math.clz32(bits & -bits));
        bits &= bits - 1;
        const priority = this.half(this.priority + source * 2);
        if (priority > bestPriority) {
          best = source;
          bestPriority = priority;
        }
      }
    }
    return best;
  }

  private claim(context: number): number {
    const source = this.best(context);
    if (source === 0) return 0;
    this.setBit(this.pending, source, false);
    this.setBit(this.inService, source, true);
    this.drive();
    return source;
  }

  private complete(context: number, source: number): void {
    if (source < 1 || source >= PLIC_SOURCES) return;
    if (!this.bit(this.enable + context * 4, source) || !this.bit(this.inService, source)) return;
    this.setBit(this.inService, source, false);
    this.request(source);
  }

  private drive(): void {
    for (let context = 0; context < this.contexts; context++) {
      const source = this.best(context);
      const threshold = this.half(this.threshold + context * 2);
      const level = source !== 0 && this.half(this.priority + source * 2) > threshold;
      this.options.setExternal(context >> 1, context % 2 === 0 ? 'M' : 'S', level);
    }
  }

  private half(index: number): number {
    return this.halves[index] ?? 0;
  }

  private bit(field: number, source: number): boolean {
    return ((this.half(field + (source >> 5)) >>> (source & 31)) & 1) === 1;
  }

  private setBit(field: number, source: number, level: boolean): void {
    const index = field + (source >> 5);
    const mask = 1 << (source & 31);
    this.halves[index] = level ? this.half(index) | mask : this.half(index) & ~mask;
  }
}
