/**
 * Traps: entering a handler and returning from it (privileged specification, sections 3.1.6,
 * 3.1.8, 3.3.2, 12.1). Pure changes of the hart's words; who calls counts the step.
 */

import { HART_WORD, type HartField } from './hart-state.js';
import type { WordBlock } from '../memory/word-block.js';
import { INTERRUPT_PRIORITY, MACHINE, MSTATUS, SUPERVISOR, USER } from './privilege.js';

const INTERRUPT_BIT = 1n << 63n;

export interface TrapCause {
  readonly interrupt: boolean;
  readonly code: number;
  readonly value: bigint;
}

const get = (block: WordBlock, field: HartField): bigint => block.get(HART_WORD[field]);
const put = (block: WordBlock, field: HartField, value: bigint): void =>
  block.set(HART_WORD[field], value);

/** Takes a trap at the present pc: saves it, changes privilege, goes to the handler. */
export function enterTrap(block: WordBlock, cause: TrapCause): void {
  const privilege = Number(get(block, 'privilege'));
  const delegated = get(block, cause.interrupt ? 'mideleg' : 'medeleg');
  const toSupervisor = privilege <= SUPERVISOR && ((delegated >> BigInt(cause.code)) & 1n) === 1n;
  const xcause = BigInt(cause.code) | (cause.interrupt ? INTERRUPT_BIT : 0n);
  const status = get(block, 'mstatus');
  if (toSupervisor) {
    put(block, 'sepc', get(block, 'pc'));
    put(block, 'scause', xcause);
    put(block, 'stval', cause.value);
    const enabled = (status & MSTATUS.SIE) !== 0n;
    let next = status & ~(MSTATUS.SIE | MSTATUS.SPIE | MSTATUS.SPP);
    if (enabled) next |= MSTATUS.SPIE;
    if (privilege === SUPERVISOR) next |= MSTATUS.SPP;
    put(block, 'mstatus', next);
    put(block, 'privilege', BigInt(SUPERVISOR));
    put(block, 'pc', vectorAddress(get(block, 'stvec'), cause));
  } else {
    put(block, 'mepc', get(block, 'pc'));
    put(block, 'mcause', xcause);
    put(block, 'mtval', cause.value);
    const enabled = (status & MSTATUS.MIE) !== 0n;
    let next = status & ~(MSTATUS.MIE | MSTATUS.MPIE | MSTATUS.MPP);
    if (enabled) next |= MSTATUS.MPIE;
    next |= BigInt(privilege) << 11n;
    put(block, 'mstatus', next);
    put(block, 'privilege', BigInt(MACHINE));
    put(block, 'pc', vectorAddress(get(block, 'mtvec'), cause));
  }
  put(block, 'traps', get(block, 'traps') + 1n);
  put(block, 'reservation', 0n);
}

function vectorAddress(vector: bigint, cause: TrapCause): bigint {
  const base = vector & ~3n;
  return cause.interrupt && (vector & 1n) === 1n ? base + 4n * BigInt(cause.code) : base;
}

export function returnFromSupervisor(block: WordBlock): void {
  const status = get(block, 'mstatus');
  const toSupervisor = (status & MSTATUS.SPP) !== 0n;
  let next = status & ~(MSTATUS.SIE | MSTATUS.SPP | MSTATUS.MPRV);
  if ((status & MSTATUS.SPIE) !== 0n) next |= MSTATUS.SIE;
  put(block, 'mstatus', next | MSTATUS.SPIE);
  put(block, 'privilege', BigInt(toSupervisor ? SUPERVISOR : USER));
  put(block, 'pc', get(block, 'sepc'));
  put(block, 'reservation', 0n);
}

export function returnFromMachine(block: WordBlock): void {
  const status = get(block, 'mstatus');
  const previous = (status & MSTATUS.MPP) >> 11n;
  let next = status & ~(MSTATUS.MIE | MSTATUS.MPP);
  if ((status & MSTATUS.MPIE) !== 0n) next |= MSTATUS.MIE;
  if (previous !== BigInt(MACHINE)) next &= ~MSTATUS.MPRV;
  put(block, 'mstatus', next | MSTATUS.MPIE);
  put(block, 'privilege', previous);
  put(block, 'pc', get(block, 'mepc'));
  put(block, 'reservation', 0n);
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
