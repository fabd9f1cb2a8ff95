/**
 * Goal: where QEMU 7.2 lacks an instruction or departs from the specification, Lockstep does what
 * the specification says.
 * Method: blocks written by hand, run interpreted and compiled; expectations from the documents.
 *
 * - Zicboz (CMO specification, cbo.zero): absent in QEMU 7.2.
 * - A misaligned AMO or SC is cause 6, a misaligned LR cause 4 (privileged specification, table of
 *   mcause): QEMU 7.2 reports 4 for all.
 * - A page fault of an AMO is cause 15, a store/AMO page fault, whatever is missing (same table):
 *   QEMU 7.2 reports 13.
 * - mtval of a misaligned access to missing memory is the address accessed (privileged
 *   specification, mtval): QEMU 7.2 reports another one.
 */

import test from 'ava';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Block } from './differential/block.js';
import { fixed, SCRATCH_MIDDLE, type Instruction } from './differential/context.js';
import { PLAIN, type Environment } from './differential/environment.js';
import { iType, rType, sType } from './differential/encode.js';
import { buildImage, resultOf } from './differential/image.js';
import { runOnLockstep } from './differential/lockstep-runner.js';
import {
  RESULT_SCRATCH,
  RESULT_TRAP_LOG,
  RESULT_TRAPS,
  SCRATCH_ADDRESS,
} from './differential/runtime.js';

const ENGINES: readonly (readonly [string, EngineOptions])[] = [
  ['interpreted', { engine: 'interpreter', hotAfter: 1 }],
  ['compiled', { engine: 'compiler', hotAfter: 1 }],
];
const ROUNDS = 3;

const T0 = 5;
const T1 = 6;
const A0 = 10;
const A1 = 11;
const CAUSE_ILLEGAL = 2n;
const CAUSE_LOAD_MISALIGNED = 4n;
const CAUSE_LOAD_FAULT = 5n;
const CAUSE_STORE_MISALIGNED = 6n;
const CAUSE_STORE_FAULT = 7n;
const CAUSE_LOAD_PAGE_FAULT = 13n;
const CAUSE_STORE_PAGE_FAULT = 15n;
const PTE_READ_ONLY = 3;
const PTE_EXECUTE_ONLY = 9;

interface Outcome {
  readonly x: (register: number) => bigint;
  /** mcause and mtval of each trap. */
  readonly traps: readonly (readonly [cause: bigint, value: bigint])[];
  /** The 64-bit word of the scratch area at an address. */
  readonly memory: (address: number) => bigint;
}

interface Case {
  readonly environment?: Environment;
  readonly registers: Readonly<Record<number, bigint>>;
  readonly instructions: readonly Instruction[];
}

/** Runs each case as a block of its own; the scratch area begins the same in all. */
function runAll(engine: EngineOptions, cases: readonly Case[]): Outcome[] {
  const blocks = cases.map(({ registers, instructions, environment = PLAIN }): Block => {
    const integer = Array.from({ length: 32 }, (_, index) => registers[index] ?? 0n);
    const float = Array.from({ length: 32 }, () => 0n);
    const units = instructions.map((instruction) => [instruction]);
    return { seed: 0, state: { integer, float, fcsr: 0 }, environment, units };
  });
  const image = buildImage(blocks, { isDetailed: true, rounds: ROUNDS });
  const { signature } = runOnLockstep(image, engine);
  return blocks.map((_block, index) => outcomeOf(resultOf(image, signature, index)));
}

function outcomeOf(words: BigUint64Array): Outcome {
  const word = (index: number): bigint => words[index] ?? 0n;
  const traps = Array.from({ length: Number(word(RESULT_TRAPS)) }, (_, index) => {
    const at = RESULT_TRAP_LOG + 3 * index;
    return [word(at + 1), word(at + 2)] as const;
  });
  return {
    x: (register) => word(register - 1),
    traps,
    memory: (address) => word(RESULT_SCRATCH + (address - SCRATCH_ADDRESS) / 8),
  };
}

/** The scratch area as every case finds it. */
const NOTHING: Case = { registers: {}, instructions: [] };

/** cbo.zero is MISC-MEM with funct3 2 and 4 in the immediate. */
function cboZero(base: number): Instruction {
  return fixed(`cbo.zero (x${base})`, iType(0x0f, 2, 0, base, 4));
}

for (const [name, engine] of ENGINES) {
  test(`cbo.zero clears the 64 bytes around its address and nothing else (${name})`, (t) => {
    const addresses = [0, 1, 31, 63, -1, -64].map((offset) => SCRATCH_MIDDLE + offset);
    const [before, ...outcomes] = runAll(engine, [
      NOTHING,
      ...addresses.map((address) => ({
        registers: { [T0]: BigInt(address) },
        instructions: [cboZero(T0)],
      })),
    ]);
    for (const [index, address] of addresses.entries()) {
      const line = address - (address & 63);
      t.deepEqual(outcomes[index]?.traps, []);
      for (let at = line - 128; at < line + 192; at += 8) {
        const expected = at >= line && at < line + 64 ? 0n : before?.memory(at);
        t.is(outcomes[index]?.memory(at), expected, `${address}, ${at - line}`);
      }
    }
  });

  test(`cbo.zero of missing memory is a store access fault (${name})`, (t) => {
    const address = 0xffff_ffff_e000_1008n;
    const [outcome] = runAll(engine, [
      { registers: { [T0]: address }, instructions: [cboZero(T0)] },
    ]);
    t.is(outcome?.traps.length, 1);
    const [cause, value] = outcome?.traps[0] ?? [0n, 0n];
    t.is(cause, CAUSE_STORE_FAULT);
    t.is(value & ~63n, address & ~63n);
  });

  test(`the other cache block operations are illegal, Zicbom is not there (${name})`, (t) => {
    const words = [0, 1, 2].map((operation) => iType(0x0f, 2, 0, T0, operation));
    const instructions = words.map((word) => fixed('cbo', word));
    const registers = { [T0]: BigInt(SCRATCH_MIDDLE) };
    const [outcome] = runAll(engine, [{ registers, instructions }]);
    t.deepEqual(
      outcome?.traps,
      words.map((word) => [CAUSE_ILLEGAL, BigInt(word)] as const),
    );
  });

  test(`misaligned atomics trap with their address and change nothing (${name})`, (t) => {
    const place = SCRATCH_MIDDLE + 64;
    const widths: readonly (readonly [number, number])[] = [
      [2, 4],
      [3, 8],
    ];
    const places = widths.flatMap(([funct3, bytes]) =>
      Array.from({ length: bytes - 1 }, (_, skew) => ({ funct3, address: place + skew + 1 })),
    );
    const cases = places.map(({ funct3, address }) => {
      const atomic = (funct5: number, rs2: number): Instruction =>
        fixed('atomic', rType(0x2f, funct3, funct5 << 2, A0, T0, rs2));
      const instructions = [
        atomic(0x02, 0), // lr
        atomic(0x03, T1), // sc
        atomic(0x00, T1), // amoadd
        atomic(0x01, T1), // amoswap
      ];
      return { registers: { [T0]: BigInt(address), [T1]: 1n, [A0]: 99n }, instructions };
    });
    const [before, ...outcomes] = runAll(engine, [NOTHING, ...cases]);
    for (const [index, { address }] of places.entries()) {
      t.deepEqual(outcomes[index]?.traps, [
        [CAUSE_LOAD_MISALIGNED, BigInt(address)],
        [CAUSE_STORE_MISALIGNED, BigInt(address)],
        [CAUSE_STORE_MISALIGNED, BigInt(address)],
        [CAUSE_STORE_MISALIGNED, BigInt(address)],
      ]);
      t.is(outcomes[index]?.x(A0), 99n);
      t.is(outcomes[index]?.memory(place), before?.memory(place));
    }
  });

  test(`page faults of atomics are store faults, but of LR a load fault (${name})`, (t) => {
    const address = SCRATCH_MIDDLE + 8;
    const atomic = (funct5: number, rs2: number): Instruction =>
      fixed('atomic', rType(0x2f, 3, funct5 << 2, A0, T0, rs2));
    const [lr, sc, amoadd] = [atomic(0x02, 0), atomic(0x03, T1), atomic(0x00, T1)];
    const registers = { [T0]: BigInt(address), [T1]: 1n };
    const supervisor = (page: number): Environment => ({
      ...PLAIN,
      privilege: 1,
      translation: 'sv39',
      pages: [page, page],
    });
    const store = [CAUSE_STORE_PAGE_FAULT, BigInt(address)] as const;
    const load = [CAUSE_LOAD_PAGE_FAULT, BigInt(address)] as const;
    const [readOnly, missing, executable] = runAll(engine, [
      // The reservation is made, so that the store conditional goes on to the store.
      { registers, environment: supervisor(PTE_READ_ONLY), instructions: [amoadd, lr, sc] },
      { registers, environment: supervisor(0), instructions: [amoadd, lr] },
      { registers, environment: supervisor(PTE_EXECUTE_ONLY), instructions: [amoadd, lr] },
    ]);
    t.deepEqual(readOnly?.traps, [store, store]);
    t.deepEqual(missing?.traps, [store, load]);
    t.deepEqual(executable?.traps, [store, load]);
  });

  test(`a fault names the address that was accessed, misaligned or not (${name})`, (t) => {
    const addresses = [0n, 1n, 3n, 5n, 7n, 4093n].map((offset) => 0xffff_ffff_e000_1000n + offset);
    const instructions = [
      fixed('ld', iType(0x03, 3, A0, T0, 0)),
      fixed('sd', sType(0x23, 3, T0, A0, 0)),
    ];
    const outcomes = runAll(
      engine,
      addresses.map((address) => ({ registers: { [T0]: address }, instructions })),
    );
    for (const [index, address] of addresses.entries()) {
      t.deepEqual(outcomes[index]?.traps, [
        [CAUSE_LOAD_FAULT, address],
        [CAUSE_STORE_FAULT, address],
      ]);
    }
  });

  test(`a store conditional without a reservation fails and writes nothing (${name})`, (t) => {
    const address = SCRATCH_MIDDLE - 128;
    const instructions = [
      fixed('sc.d', rType(0x2f, 3, 0x03 << 2, A0, T0, T1)),
      fixed('lr.d', rType(0x2f, 3, 0x02 << 2, A1, T0, 0)),
    ];
    const registers = { [T0]: BigInt(address), [T1]: 7n };
    const [before, outcome] = runAll(engine, [NOTHING, { registers, instructions }]);
    t.deepEqual(outcome?.traps, []);
    t.is(outcome?.x(A0), 1n);
    t.is(outcome?.x(A1), before?.memory(address));
    t.is(outcome?.memory(address), before?.memory(address));
  });
}
