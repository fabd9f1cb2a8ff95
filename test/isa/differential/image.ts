/**
 * Puts random blocks and the program around them into one ELF, and reads what came out of them.
 *
 * Memory: the program, its context and the scratch area below 64 KiB; above, the table of blocks,
 * their inputs, their code, their page tables, and the results, which are the signature.
 */

import { assert } from '../../../lib/base/assert.js';
import type { Block, BlockState } from './block.js';
import type { Instruction, Unit } from './context.js';
import { entryMstatus, makeTranslation, MAPPED_CODE_ADDRESS, PAGE_BYTES } from './environment.js';
import { writeElf } from './elf-writer.js';
import { jal } from './encode.js';
import {
  assembleRuntime,
  CONTEXT_ADDRESS,
  CONTEXT_COUNT,
  CONTEXT_INPUTS,
  CONTEXT_RESULTS,
  CONTEXT_ROUNDS,
  CONTEXT_TABLE,
  DETAILED_RESULT_WORDS,
  INPUT_BYTES,
  INPUT_F,
  INPUT_FCSR,
  INPUT_MSTATUS,
  INPUT_SATP,
  INPUT_X,
  RESULT_WORDS,
  RUNTIME_ADDRESS,
} from './runtime.js';

const TABLE_ADDRESS = 0x8001_0000;
const TABLE_ENTRY_BYTES = 16;
const EBREAK = 0x0010_0073;
const JUMP_BYTES = 4;
/** End of the memory that both machines have. */
const RAM_END = RUNTIME_ADDRESS + 64 * 2 ** 20;

export interface TestImage {
  readonly elf: Uint8Array;
  /** The signature: one result record a block. */
  readonly begin: number;
  readonly end: number;
  readonly resultWords: number;
}

/** An instruction at its place. */
export interface PlacedInstruction {
  readonly unit: number;
  readonly address: number;
  readonly word: number;
  readonly instruction: Instruction;
}

/** Where each instruction of a block that begins at `start` goes; `end` is the closing EBREAK. */
export function placeBlock(
  units: readonly Unit[],
  start: number,
): { readonly placed: readonly PlacedInstruction[]; readonly end: number } {
  const starts: number[] = [];
  let address = start;
  for (const unit of units) {
    starts.push(address);
    for (const instruction of unit) address += instruction.bytes;
  }
  const end = address;
  const placed: PlacedInstruction[] = [];
  address = start;
  units.forEach((unit, index) => {
    for (const instruction of unit) {
      const here = address;
      // A prefix of a block has targets behind its end: they become the end.
      const word = instruction.encode((target) => (starts[target] ?? end) - here);
      placed.push({ unit: index, address, word, instruction });
      address += instruction.bytes;
    }
  });
  return { placed, end };
}

export interface ImageOptions {
  /** Results carry every trap and the whole scratch area. */
  readonly isDetailed: boolean;
  /** Times that each block is run. */
  readonly rounds: number;
}

export function buildImage(blocks: readonly Block[], options: ImageOptions): TestImage {
  const { isDetailed, rounds } = options;
  const inputs = TABLE_ADDRESS + TABLE_ENTRY_BYTES * blocks.length;
  const code = Math.max(alignUp(inputs + INPUT_BYTES * blocks.length, 8), MAPPED_CODE_ADDRESS);
  const codeParts: Buffer[] = [];
  const table = Buffer.alloc(TABLE_ENTRY_BYTES * blocks.length);
  let address = code;
  blocks.forEach((block, index) => {
    const entry = TABLE_ENTRY_BYTES * index;
    if (sharesCode(block, blocks[index - 1])) {
      table.copy(table, entry, entry - TABLE_ENTRY_BYTES, entry);
      return;
    }
    // A jump to the first instruction, so that every region has one. It does not make the block
    // hot: forward jumps within a page are not counted, but the place that MRET enters at is.
    const { placed, end } = placeBlock(block.units, address + JUMP_BYTES);
    table.writeBigUInt64LE(BigInt(address), entry);
    table.writeBigUInt64LE(BigInt(end), entry + 8);
    const size = alignUp(end + 4, 8) - address;
    codeParts.push(blockBytes(placed, address, end, size));
    address += size;
  });
  const pageTables = alignUp(address, PAGE_BYTES);
  const tableParts: Uint8Array[] = [];
  const inputParts: Buffer[] = [];
  address = pageTables;
  let satp = 0n;
  blocks.forEach((block, index) => {
    const { state, environment } = block;
    if (!sharesCode(block, blocks[index - 1])) {
      const translation = makeTranslation(environment, address);
      tableParts.push(translation.tables);
      address += translation.tables.length;
      satp = translation.satp;
    }
    inputParts.push(inputBytes(state, entryMstatus(environment), satp));
  });
  const begin = address;
  const resultWords = isDetailed ? DETAILED_RESULT_WORDS : RESULT_WORDS;
  const end = begin + 8 * resultWords * blocks.length;
  assert(end <= RAM_END, `${blocks.length} blocks with their results exceed the test's memory`);
  const bytes = Buffer.alloc(begin - RUNTIME_ADDRESS);
  const put = (at: number, part: Uint8Array): void => bytes.set(part, at - RUNTIME_ADDRESS);
  const runtime = assembleRuntime(isDetailed);
  assert(RUNTIME_ADDRESS + runtime.length <= CONTEXT_ADDRESS, 'the program fits below its context');
  put(RUNTIME_ADDRESS, runtime);
  const setContext = (word: number, value: number): void => {
    bytes.writeBigUInt64LE(BigInt(value), CONTEXT_ADDRESS - RUNTIME_ADDRESS + 8 * word);
  };
  setContext(CONTEXT_COUNT, blocks.length);
  setContext(CONTEXT_ROUNDS, rounds);
  setContext(CONTEXT_TABLE, TABLE_ADDRESS);
  setContext(CONTEXT_INPUTS, inputs);
  setContext(CONTEXT_RESULTS, begin);
  put(TABLE_ADDRESS, table);
  put(inputs, Buffer.concat(inputParts));
  put(code, Buffer.concat(codeParts));
  put(pageTables, Buffer.concat(tableParts));
  const elf = writeElf({
    entry: BigInt(RUNTIME_ADDRESS),
    address: BigInt(RUNTIME_ADDRESS),
    bytes,
    memoryBytes: end - RUNTIME_ADDRESS,
    symbols: { begin_signature: BigInt(begin), end_signature: BigInt(end) },
  });
  return { elf, begin, end, resultWords };
}

/** The same block from another state: its code and page tables are there once. */
function sharesCode(block: Block, before: Block | undefined): boolean {
  return block.units === before?.units && block.environment === before.environment;
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function blockBytes(
  placed: readonly PlacedInstruction[],
  start: number,
  end: number,
  size: number,
): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32LE(jal(0, JUMP_BYTES), 0);
  for (const { address, word, instruction } of placed) {
    if (instruction.bytes === 2) bytes.writeUInt16LE(word, address - start);
    else bytes.writeUInt32LE(word, address - start);
  }
  bytes.writeUInt32LE(EBREAK, end - start);
  return bytes;
}

function inputBytes({ integer, float, fcsr }: BlockState, mstatus: number, satp: bigint): Buffer {
  const bytes = Buffer.alloc(INPUT_BYTES);
  const put = (word: number, value: bigint): unknown => bytes.writeBigUInt64LE(value, 8 * word);
  put(INPUT_FCSR, BigInt(fcsr));
  float.forEach((value, index) => put(INPUT_F + index, value));
  integer.forEach((value, index) => {
    if (index > 0) put(INPUT_X + index, value);
  });
  put(INPUT_MSTATUS, BigInt(mstatus));
  put(INPUT_SATP, satp);
  return bytes;
}

/** The result record of one block, as 64-bit words. */
export function resultOf(image: TestImage, signature: Uint8Array, block: number): BigUint64Array {
  const bytes = new DataView(signature.buffer, signature.byteOffset, signature.byteLength);
  const words = new BigUint64Array(image.resultWords);
  const start = 8 * image.resultWords * block;
  for (let word = 0; word < words.length; word++) {
    words[word] = bytes.getBigUint64(start + 8 * word, true);
  }
  return words;
}
