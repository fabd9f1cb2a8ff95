/**
 * The map of the machine's one flat memory: which bytes mean what.
 *
 *   0 ............ guard page, never used (a stray address 0 hits nothing)
 *   wordsStart ... architectural words: blocks of harts and devices, in the order given
 *   derived ...... per hart and per machine: TLBs, decoded code, page flags (never hashed or saved)
 *   ramOffset .... guest RAM
 *
 * Whoever adds a region names it; the description of all regions goes into the machine digest, so
 * two replicas with different layouts refuse each other.
 */

import { assert, present } from '../base/assert.js';
import { wordCount, type WordBlockSpec } from './word-block.js';

export const PAGE_BYTES = 4096;
/** WebAssembly memory grows in pages of 64 KiB. */
export const WASM_PAGE_BYTES = 65536;

export interface DerivedRegion {
  readonly name: string;
  readonly bytes: number;
}

export interface MemoryLayout {
  readonly wordsStart: number;
  readonly wordsEnd: number;
  readonly ramOffset: number;
  readonly ramBytes: number;
  readonly totalBytes: number;
  readonly blocks: readonly { readonly spec: WordBlockSpec; readonly byteOffset: number }[];
  /** One line a region: the text that the machine digest covers. */
  readonly description: string;
  /** Byte offset of a block or of a derived region by name. */
  offsetOf(name: string): number;
}

const align = (value: number, to: number): number => Math.ceil(value / to) * to;

export function planLayout(options: {
  readonly ramBytes: number;
  readonly blocks: readonly WordBlockSpec[];
  readonly derived: readonly DerivedRegion[];
}): MemoryLayout {
  assert(options.ramBytes % WASM_PAGE_BYTES === 0, `RAM of ${options.ramBytes} bytes is uneven`);
  const offsets = new Map<string, number>();
  const blocks: { spec: WordBlockSpec; byteOffset: number }[] = [];
  const lines: string[] = [];
  let at = PAGE_BYTES;
  const wordsStart = at;
  for (const spec of options.blocks) {
    assert(!offsets.has(spec.name), `two blocks named ${spec.name}`);
    offsets.set(spec.name, at);
    blocks.push({ spec, byteOffset: at });
    lines.push(`${spec.name} ${at} ${JSON.stringify(spec.fields)}`);
    at += wordCount(spec) * 8;
  }
  const wordsEnd = at;
  for (const region of options.derived) {
    at = align(at, 64);
    assert(!offsets.has(region.name), `two regions named ${region.name}`);
    offsets.set(region.name, at);
    at += region.bytes;
  }
  const ramOffset = align(at, WASM_PAGE_BYTES);
  return {
    wordsStart,
    wordsEnd,
    ramOffset,
    ramBytes: options.ramBytes,
    totalBytes: ramOffset + options.ramBytes,
    blocks,
    description: `${lines.join('\n')}\nram ${options.ramBytes}`,
    offsetOf: (name) => present(offsets.get(name), `region ${name}`),
  };
}
