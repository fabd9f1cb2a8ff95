/**
 * Traps: entering a handler and returning from it (privileged specification, sections 3.1.6,
 * 3.1.8, 3.3.2, 12.1). Pure changes of the hart's words; who calls counts the step.
 */

import { HART_WORD, type HartField } from './hart-state.js';
import type { WordBlock } from '../memory/word-block.js';
import { INTERRUPT_PRIORITY, MACHINE, MSTATUS, SUPERVISOR, USER } from './privilege.js';

const INTERRUPT_BIT = 0x80000000;
/** Bits of the low half of mstatus. */
const SIE = 1 << 1;
const MIE = 1 << 3;
const SPIE = 1 << 5;
const MPIE = 1 << 7;
const SPP = 1 << 8;
const MPP = 3 << 11;
const MPRV = 1 << 17;

export interface TrapCause {
  readonly interrupt: boolean;
  readonly code: number;
  readonly value: bigint;
}

const get = (block: WordBlock, field: HartField): bigint => block.get(HART_WORD[field]);

/** Takes a trap at the present pc: saves it, changes privilege, goes to the handler. */
export function enterTrap(block: WordBlock, cause: TrapCause): void {
  const { halves } = block;
  const privilege = lowOf(halves, 'privilege');
  const delegated = lowOf(halves, cause.interrupt ? 'mideleg' : 'medeleg');
  const toSupervisor = privilege <= SUPERVISOR && ((delegated >>> cause.code) & 1) === 1;
  const status = lowOf(halves, 'mstatus');
  if (toSupervisor) {
    copyWord(halves, 'pc', 'sepc');
    putWord(halves, 'scause', cause.code, cause.interrupt ? INTERRUPT_BIT : 0);
    block.set(HART_WORD.stval, cause.value);
    let next = status & ~(SIE | SPIE | SPP);
    if ((status & SIE) !== 0) next |= SPIE;
    if (privilege === SUPERVISOR) next |= SPP;
    halves[HART_WORD.mstatus * 2] = next;
    putWord(halves, 'privilege', SUPERVISOR, 0);
    goToVector(halves, 'stvec', cause);
  } else {
    copyWord(halves, 'pc', 'mepc');
    putWord(halves, 'mcause', cause.code, cause.interrupt ? INTERRUPT_BIT : 0);
    block.set(HART_WORD.mtval, cause.value);
    let next = status & ~(MIE | MPIE | MPP);
    if ((status & MIE) !== 0) next |= MPIE;
    halves[HART_WORD.mstatus * 2] = next | (privilege << 11);
    putWord(halves, 'privilege', MACHINE, 0);
    goToVector(halves, 'mtvec', cause);
  }
  const traps = lowOf(halves, 'traps') + 1;
  halves[HART_WORD.traps * 2] = traps;
  if (traps === 2 ** 32) {
    halves[HART_WORD.traps * 2 + 1] = (halves[HART_WORD.traps * 2 + 1] ?? 0) + 1;
  }
  putWord(halves, 'reservation', 0, 0);
}

/** Vectored mode (bit 0) spreads interrupts, not exceptions; bit 1 is reserved. */
function goToVector(halves: Uint32Array, field: 'stvec' | 'mtvec', cause: TrapCause): void {
  const low = lowOf(halves, field);
  const high = halves[HART_WORD[field] * 2 + 1] ?? 0;
  const offset = cause.interrupt && (low & 1) === 1 ? 4 * cause.code : 0;
  const sum = ((low & ~3) >>> 0) + offset;
  putWord(halves, 'pc', sum, sum >= 2 ** 32 ? high + 1 : high);
}

export function returnFromSupervisor(block: WordBlock): void {
  const { halves } = block;
  const status = lowOf(halves, 'mstatus');
  let next = status & ~(SIE | SPP | MPRV);
  if ((status & SPIE) !== 0) next |= SIE;
  halves[HART_WORD.mstatus * 2] = next | SPIE;
  putWord(halves, 'privilege', (status & SPP) !== 0 ? SUPERVISOR : USER, 0);
  copyWord(halves, 'sepc', 'pc');
  putWord(halves, 'reservation', 0, 0);
}

export function returnFromMachine(block: WordBlock): void {
  const { halves } = block;
  const status = lowOf(halves, 'mstatus');
  const previous = (status & MPP) >>> 11;
  let next = status & ~(MIE | MPP);
  if ((status & MPIE) !== 0) next |= MIE;
  if (previous !== MACHINE) next &= ~MPRV;
  halves[HART_WORD.mstatus * 2] = next | MPIE;
  putWord(halves, 'privilege', previous, 0);
  copyWord(halves, 'mepc', 'pc');
  putWord(halves, 'reservation', 0, 0);
}

function lowOf(halves: Uint32Array, field: HartField): number {
  return halves[HART_WORD[field] * 2] ?? 0;
}

function putWord(halves: Uint32Array, field: HartField, low: number, high: number): void {
  halves[HART_WORD[field] * 2] = low;
  halves[HART_WORD[field] * 2 + 1] = high;
}

function copyWord(halves: Uint32Array, from: HartField, to: HartField): void {
  putWord(halves, to, lowOf(halves, from), halves[HART_WORD[from] * 2 + 1] ?? 0);
}

/** A cheap necessary condition for `nextInterrupt`: all interrupts have codes below 32. */
export function interruptPossible(block: WordBlock): boolean {
  const { halves } = block;
  const pending = lowOf(halves, 'mipSoftware') | lowOf(halves, 'mipLines');
  return (pending & lowOf(halves, 'mie')) !== 0;
}

/** mip as software reads it. */
export function pendingInterrupts(block: WordBlock): bigint {
  return get(block, 'mipSoftware') | get(block, 'mipLines');
}

/** The interrupt to take now, or null (privileged specification, section 3.1.9). */
export function nextInterrupt(block: WordBlock): number | null {
  const ready = pendingInterrupts(block) & get(block, 'mie');
  if (ready === 0n) return null;
  const privilege = Number(get(block, 'privilege'));
  const status = get(block, 'mstatus');
  const delegated = get(block, 'mideleg');
  const machineOn = privilege < MACHINE || (status & MSTATUS.MIE) !== 0n;
  const supervisorOn =
    privilege < SUPERVISOR || (privilege === SUPERVISOR && (status & MSTATUS.SIE) !== 0n);
  const forMachine = machineOn ? ready & ~delegated : 0n;
  const forSupervisor = supervisorOn ? ready & delegated : 0n;
  for (const candidates of [forMachine, forSupervisor]) {
    if (candidates === 0n) continue;
    for (const code of INTERRUPT_PRIORITY) {
      if (((candidates >> BigInt(code)) & 1n) === 1n) return code;
    }
  }
  return null;
}
