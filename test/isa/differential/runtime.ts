/**
 * The program around the random blocks: it prepares the state of each, enters it by MRET (which
 * needs no register), records and skips what traps, and stores what came out.
 *
 * Every register belongs to the block, so the program keeps its own state in a context in memory,
 * which mscratch points at while a block runs. A block ends at its last instruction, an EBREAK
 * whose address the context holds. Each block may be run several times from the same state, so
 * that an engine which compiles hot code runs it compiled; the last run's results stay.
 */

import { Assembler } from './assembler.js';
import { SCRATCH_BYTES, SCRATCH_MIDDLE } from './context.js';

export const RUNTIME_ADDRESS = 0x8000_0000;
export const CONTEXT_ADDRESS = 0x8000_4000;
export const SCRATCH_ADDRESS = SCRATCH_MIDDLE - SCRATCH_BYTES / 2;
const SCRATCH_WORDS = SCRATCH_BYTES / 8;

/** Words of an input record: fcsr, f0 to f31, x1 to x31, mstatus, satp. */
export const INPUT_FCSR = 0;
export const INPUT_F = 1;
export const INPUT_X = 32; // x1 is one further
export const INPUT_MSTATUS = 64;
export const INPUT_SATP = 65;
const INPUT_WORDS = 66;
export const INPUT_BYTES = 8 * INPUT_WORDS;

/** Words of a result record, by what they hold. */
export const RESULT_X = 0; // x1 to x31
export const RESULT_F = 31;
export const RESULT_FCSR = 63;
export const RESULT_TRAPS = 64;
export const RESULT_TRAP_HASH = 65;
export const RESULT_SCRATCH_HASH = 66;
/** As the trap at the end of the block found it. */
export const RESULT_MSTATUS = 67;
export const RESULT_WORDS = 68;
/** With details, trap records of three words and the scratch area follow. */
export const MAX_TRAPS = 256;
export const RESULT_TRAP_LOG = RESULT_WORDS;
export const RESULT_SCRATCH = RESULT_TRAP_LOG + 3 * MAX_TRAPS;
export const DETAILED_RESULT_WORDS = RESULT_SCRATCH + SCRATCH_WORDS;

/** Words of the context. */
const SAVED = 0; // x27 to x30
export const CONTEXT_INDEX = 4;
export const CONTEXT_COUNT = 5;
export const CONTEXT_TABLE = 6; // pairs: start and end of a block
export const CONTEXT_INPUTS = 7;
export const CONTEXT_RESULTS = 8;
const CONTEXT_END = 9;
const CONTEXT_RESULT = 10;
const CONTEXT_TRAPS = 11;
const CONTEXT_TRAP_HASH = 12;
const CONTEXT_SPARE = 13;
/** Times that each block is run, and how often the present one was. */
export const CONTEXT_ROUNDS = 14;
const CONTEXT_ROUND = 15;

const MSTATUS = 0x300;
const MIE = 0x304;
const MTVEC = 0x305;
const MSCRATCH = 0x340;
const MEPC = 0x341;
const MCAUSE = 0x342;
const MTVAL = 0x343;
const FCSR = 3;
const BREAKPOINT = 3;
const SATP = 0x180;
const PMPCFG0 = 0x3a0;
const PMPADDR0 = 0x3b0;
const PMP_NAPOT_RWX = 0x1f;
/** FS dirty, MPP machine: what the program itself runs with. */
const OWN_MSTATUS = 0x7800;
const SFENCE_VMA = 0x12000073;
const SYSCON_ADDRESS = 0x10_0000;
const SYSCON_PASS = 0x5555;

const T0 = 5;
const T1 = 6;
const T2 = 7;
const S0 = 8;
const S1 = 9;
const A0 = 10;
const A1 = 11;
const A2 = 12;
const A3 = 13;
const CONTEXT = 31;

/** `isDetailed` results carry every trap and the whole scratch area. */
export function assembleRuntime(isDetailed: boolean): Uint8Array {
  const a = new Assembler(RUNTIME_ADDRESS);
  start(a);
  nextBlock(a, isDetailed);
  trapEntry(a, isDetailed);
  finishBlock(a, isDetailed);
  return a.finish();
}

function start(a: Assembler): void {
  a.j('start');
  a.j('trap'); // mtvec points here
  a.label('start');
  a.csrw(MIE, 0);
  // All of memory for every privilege: one region over the whole address space.
  a.addi(T0, 0, -1);
  a.csrw(PMPADDR0, T0);
  a.addi(T0, 0, PMP_NAPOT_RWX);
  a.csrw(PMPCFG0, T0);
  a.li(T0, RUNTIME_ADDRESS + 4, true);
  a.csrw(MTVEC, T0);
  a.li(CONTEXT, CONTEXT_ADDRESS, true);
  a.csrw(MSCRATCH, CONTEXT);
  a.j('next-block');
}

function nextBlock(a: Assembler, isDetailed: boolean): void {
  a.label('next-block');
  a.ld(T0, 8 * CONTEXT_INDEX, CONTEXT);
  a.ld(T1, 8 * CONTEXT_COUNT, CONTEXT);
  a.bne(T0, T1, 'prepare');
  a.li(T0, SYSCON_ADDRESS);
  a.li(T1, SYSCON_PASS);
  a.word(0x0062a023); // sw t1, 0(t0)
  a.label('off');
  a.j('off');

  a.label('prepare');
  a.li(T1, OWN_MSTATUS);
  a.csrw(MSTATUS, T1);
  a.slli(T1, T0, 4);
  a.ld(T2, 8 * CONTEXT_TABLE, CONTEXT);
  a.add(T2, T2, T1);
  a.ld(S0, 0, T2);
  a.csrw(MEPC, S0);
  a.ld(S0, 8, T2);
  a.sd(S0, 8 * CONTEXT_END, CONTEXT);
  a.li(T1, 8 * (isDetailed ? DETAILED_RESULT_WORDS : RESULT_WORDS));
  a.mul(T1, T1, T0);
  a.ld(T2, 8 * CONTEXT_RESULTS, CONTEXT);
  a.add(T2, T2, T1);
  a.sd(T2, 8 * CONTEXT_RESULT, CONTEXT);
  a.sd(0, 8 * CONTEXT_TRAPS, CONTEXT);
  a.sd(0, 8 * CONTEXT_TRAP_HASH, CONTEXT);
  fillScratch(a);
  loadState(a);
}

/** The scratch area begins every block as the same function of nothing: a block stands alone. */
function fillScratch(a: Assembler): void {
  a.li(A0, SCRATCH_ADDRESS, true);
  a.li(A1, SCRATCH_ADDRESS + SCRATCH_BYTES, true);
  a.li(A2, 0x2545f491);
  a.slli(A2, A2, 3);
  a.label('fill');
  a.slli(A3, A2, 13);
  a.xor(A2, A2, A3);
  a.srli(A3, A2, 7);
  a.xor(A2, A2, A3);
  a.slli(A3, A2, 17);
  a.xor(A2, A2, A3);
  a.sd(A2, 0, A0);
  a.addi(A0, A0, 8);
  a.bne(A0, A1, 'fill');
}

/** Registers of the block, its own last; then into it. */
function loadState(a: Assembler): void {
  a.ld(CONTEXT, 8 * CONTEXT_INPUTS, CONTEXT);
  a.li(T1, INPUT_BYTES);
  a.mul(T1, T1, T0);
  a.add(CONTEXT, CONTEXT, T1);
  a.ld(T1, 8 * INPUT_SATP, CONTEXT);
  a.csrw(SATP, T1);
  a.word(SFENCE_VMA);
  a.ld(T1, 8 * INPUT_FCSR, CONTEXT);
  a.csrw(FCSR, T1);
  for (let f = 0; f < 32; f++) a.fld(f, 8 * (INPUT_F + f), CONTEXT);
  // With MPRV the loads below are still those of machine mode: MPP says so until MRET.
  a.ld(T1, 8 * INPUT_MSTATUS, CONTEXT);
  a.csrw(MSTATUS, T1);
  for (let x = 1; x < 32; x++) a.ld(x, 8 * (INPUT_X + x), CONTEXT);
  a.mret();
}

function trapEntry(a: Assembler, isDetailed: boolean): void {
  a.label('trap');
  a.csrrw(CONTEXT, MSCRATCH, CONTEXT);
  for (let x = 27; x <= 30; x++) a.sd(x, 8 * (SAVED + x - 27), CONTEXT);
  a.csrr(30, MEPC);
  a.ld(29, 8 * CONTEXT_END, CONTEXT);
  a.beq(30, 29, 'finish');

  a.csrr(28, MCAUSE);
  a.csrr(27, MTVAL);
  // A breakpoint's mtval may be 0 or the address (privileged specification, mtval): taken as 0.
  a.addi(29, 0, BREAKPOINT);
  a.bne(28, 29, 'value-known');
  a.addi(27, 0, 0);
  a.label('value-known');
  if (isDetailed) logTrap(a);
  a.ld(29, 8 * CONTEXT_TRAP_HASH, CONTEXT);
  for (const register of [30, 28, 27]) mix(a, 29, register);
  a.sd(29, 8 * CONTEXT_TRAP_HASH, CONTEXT);
  a.ld(29, 8 * CONTEXT_TRAPS, CONTEXT);
  a.addi(29, 29, 1);
  a.sd(29, 8 * CONTEXT_TRAPS, CONTEXT);

  // Skip the instruction: four bytes if its lowest two bits are set, two otherwise.
  a.word(0x000f5d83); // lhu x27, 0(x30)
  a.word(0x003dfd93); // andi x27, x27, 3
  a.addi(28, 0, 3);
  a.addi(30, 30, 2);
  a.bne(27, 28, 'skipped');
  a.addi(30, 30, 2);
  a.label('skipped');
  a.csrw(MEPC, 30);
  for (let x = 27; x <= 30; x++) a.ld(x, 8 * (SAVED + x - 27), CONTEXT);
  a.csrrw(CONTEXT, MSCRATCH, CONTEXT);
  a.mret();
}

/** state = (state ^ value) * 0x9e3779b1 + rotation by shifts, in place; spoils the value. */
function mix(a: Assembler, state: number, value: number): void {
  a.xor(state, state, value);
  if (value === 30) {
    // mepc is needed again: multiply by 33 without a spare register.
    a.slli(30, state, 5);
    a.add(state, state, 30);
    a.csrr(30, MEPC);
    return;
  }
  a.li(value, 0x1e3779b1);
  a.mul(state, state, value);
  a.srli(value, state, 29);
  a.xor(state, state, value);
}

/** mepc (x30), mcause (x28) and mtval (x27) behind the result record; x29 is free, x26 is not. */
function logTrap(a: Assembler): void {
  a.sd(26, 8 * CONTEXT_SPARE, CONTEXT);
  a.ld(29, 8 * CONTEXT_TRAPS, CONTEXT);
  a.slli(26, 29, 4);
  a.slli(29, 29, 3);
  a.add(29, 29, 26);
  a.ld(26, 8 * CONTEXT_RESULT, CONTEXT);
  a.add(29, 29, 26);
  a.sd(30, 8 * RESULT_TRAP_LOG, 29);
  a.sd(28, 8 * (RESULT_TRAP_LOG + 1), 29);
  a.sd(27, 8 * (RESULT_TRAP_LOG + 2), 29);
  a.ld(26, 8 * CONTEXT_SPARE, CONTEXT);
}

function finishBlock(a: Assembler, isDetailed: boolean): void {
  a.label('finish');
  a.ld(29, 8 * CONTEXT_RESULT, CONTEXT);
  for (let x = 1; x <= 26; x++) a.sd(x, 8 * (RESULT_X + x - 1), 29);
  for (let x = 27; x <= 30; x++) {
    a.ld(28, 8 * (SAVED + x - 27), CONTEXT);
    a.sd(28, 8 * (RESULT_X + x - 1), 29);
  }
  a.csrr(28, MSCRATCH);
  a.sd(28, 8 * (RESULT_X + 30), 29);
  a.csrr(28, MSTATUS);
  a.sd(28, 8 * RESULT_MSTATUS, 29);
  a.li(28, OWN_MSTATUS);
  a.csrw(MSTATUS, 28);
  for (let f = 0; f < 32; f++) a.fsd(f, 8 * (RESULT_F + f), 29);
  a.csrr(28, FCSR);
  a.sd(28, 8 * RESULT_FCSR, 29);
  a.ld(28, 8 * CONTEXT_TRAPS, CONTEXT);
  a.sd(28, 8 * RESULT_TRAPS, 29);
  a.ld(28, 8 * CONTEXT_TRAP_HASH, CONTEXT);
  a.sd(28, 8 * RESULT_TRAP_HASH, 29);
  hashScratch(a, isDetailed);
  a.csrw(MSCRATCH, CONTEXT);
  a.ld(T0, 8 * CONTEXT_ROUND, CONTEXT);
  a.addi(T0, T0, 1);
  a.sd(T0, 8 * CONTEXT_ROUND, CONTEXT);
  a.ld(T1, 8 * CONTEXT_ROUNDS, CONTEXT);
  a.bne(T0, T1, 'next-block');
  a.sd(0, 8 * CONTEXT_ROUND, CONTEXT);
  a.ld(T0, 8 * CONTEXT_INDEX, CONTEXT);
  a.addi(T0, T0, 1);
  a.sd(T0, 8 * CONTEXT_INDEX, CONTEXT);
  a.j('next-block');
}

/** h = h * 33 + word over the scratch area, and a copy of it where details are wanted. */
function hashScratch(a: Assembler, isDetailed: boolean): void {
  a.li(A0, SCRATCH_ADDRESS, true);
  a.li(A1, SCRATCH_ADDRESS + SCRATCH_BYTES, true);
  a.addi(A2, 0, 0);
  a.li(S1, 8 * RESULT_SCRATCH);
  a.add(S1, S1, 29);
  a.label('hash');
  a.ld(A3, 0, A0);
  if (isDetailed) {
    a.sd(A3, 0, S1);
    a.addi(S1, S1, 8);
  }
  a.slli(S0, A2, 5);
  a.add(A2, A2, S0);
  a.add(A2, A2, A3);
  a.addi(A0, A0, 8);
  a.bne(A0, A1, 'hash');
  a.sd(A2, 8 * RESULT_SCRATCH_HASH, 29);
}
