/**
 * The architectural state of one hart: which words it has in the machine's memory.
 *
 * The interpreter and compiled code address registers by the constants below, so the order of the
 * first fields is fixed. Everything here is hashed, compared, saved and restored by name; what is
 * derived (TLBs, decoded code, contexts) lies elsewhere, see `derived.ts`.
 */

import type { WordBlockSpec } from '../memory/word-block.js';

/** Number of PMP entries; each covers whole 4 KiB pages (docs/DIVERGENCES.md). */
export const PMP_ENTRIES = 16;

/** Fields of a hart block after the registers; one word each unless a count is given. */
const FIELDS = [
  'pc',
  /** Steps counted: retired instructions plus traps taken. */
  'step',
  /** Traps taken (exceptions and interrupts), so that retired = step - traps. */
  'traps',
  /** Privilege: 0 U, 1 S, 3 M. */
  'privilege',
  /** 1 after WFI until a wake. */
  'parked',
  /** 1 + byte offset in RAM of the LR reservation, 0 for none; and the value that LR read. */
  'reservation',
  'reservedValue',
  'fcsr',
  'mstatus',
  'medeleg',
  'mideleg',
  'mie',
  /** Writable bits of mip (SSIP, STIP, SEIP as software set them). */
  'mipSoftware',
  /** Interrupt lines from devices and timers, as bits of mip. */
  'mipLines',
  'mtvec',
  'mcounteren',
  'mcountinhibit',
  'menvcfg',
  'mscratch',
  'mepc',
  'mcause',
  'mtval',
  'stvec',
  'scounteren',
  'senvcfg',
  'sscratch',
  'sepc',
  'scause',
  'stval',
  'satp',
  'stimecmp',
  /** What software wrote to mcycle and minstret, minus the true value at that moment. */
  'mcycleOffset',
  'minstretOffset',
  /** Virtual time: timeBase + ((step - timeStep) * timeRate >> 32) ticks. */
  'timeBase',
  'timeStep',
  'timeRate',
] as const;

export type HartField = (typeof FIELDS)[number];

export function hartBlockSpec(hart: number): WordBlockSpec {
  return {
    name: `hart${hart}`,
    fields: [['x', 32], ['f', 32], ...FIELDS, ['pmpcfg', 2], ['pmpaddr', PMP_ENTRIES]],
  };
}

/** Byte offsets within a hart block, for generated code. */
export const X_OFFSET = 0;
export const F_OFFSET = 32 * 8;

/** Word index of a field within a hart block. */
export const HART_WORD: Readonly<Record<HartField, number>> = Object.fromEntries(
  FIELDS.map((name, index) => [name, 64 + index]),
) as Record<HartField, number>;

export const PMPCFG_WORD = 64 + FIELDS.length;
export const PMPADDR_WORD = PMPCFG_WORD + 2;

/** Byte offset of a field within a hart block. */
export const hartOffset = (field: HartField): number => HART_WORD[field] * 8;
