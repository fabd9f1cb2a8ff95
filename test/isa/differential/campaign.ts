/**
 * Compares two machines on random blocks, and narrows a difference down to the instruction.
 *
 * Narrowing runs every prefix of the block as a block of its own: the first prefix whose results
 * differ ends in the instruction that the machines disagree about, and the prefix before it gives
 * the state it started from.
 */

import type { Block } from './block.js';
import { SCRATCH_MIDDLE } from './context.js';
import { buildImage, placeBlock, resultOf, type ImageOptions, type TestImage } from './image.js';
import {
  MAX_TRAPS,
  RESULT_F,
  RESULT_FCSR,
  RESULT_MSTATUS,
  RESULT_SCRATCH,
  RESULT_SCRATCH_HASH,
  RESULT_TRAP_HASH,
  RESULT_TRAP_LOG,
  RESULT_TRAPS,
  SCRATCH_ADDRESS,
} from './runtime.js';

/** One of the two machines: gives the signature of an image. */
export interface Contestant {
  readonly name: string;
  run(image: TestImage): Promise<Uint8Array> | Uint8Array;
}

export interface Campaign {
  /** Times that each block is run; 1 where nothing is gained by more. */
  readonly rounds: number;
  readonly left: Contestant;
  readonly right: Contestant;
  /** Puts the blocks into an image; the self-test plants a defect here. */
  readonly build?: (
    blocks: readonly Block[],
    options: ImageOptions,
    contestant: Contestant,
  ) => TestImage;
}

/** Results of all blocks on one machine. */
async function runBlocks(
  campaign: Campaign,
  contestant: Contestant,
  blocks: readonly Block[],
  isDetailed: boolean,
): Promise<readonly BigUint64Array[]> {
  const build = campaign.build ?? buildImage;
  const image = build(blocks, { isDetailed, rounds: campaign.rounds }, contestant);
  const signature = await contestant.run(image);
  return blocks.map((_block, index) => resultOf(image, signature, index));
}

/** The first block whose results differ, or null. */
export async function findDifference(
  campaign: Campaign,
  blocks: readonly Block[],
): Promise<Block | null> {
  const left = await runBlocks(campaign, campaign.left, blocks, false);
  const right = await runBlocks(campaign, campaign.right, blocks, false);
  for (const [index, block] of blocks.entries()) {
    if (differingWords(left[index], right[index]).length > 0) return block;
  }
  return null;
}

/** What a person needs to see: seed, instruction, the state before it and both results. */
export async function explainDifference(campaign: Campaign, block: Block): Promise<string> {
  const prefixes = Array.from({ length: block.units.length + 1 }, (_, length) => ({
    ...block,
    units: block.units.slice(0, length),
  }));
  const left = await runBlocks(campaign, campaign.left, prefixes, true);
  const right = await runBlocks(campaign, campaign.right, prefixes, true);
  const { privilege, translation } = block.environment;
  const head = `block of seed ${block.seed} (privilege ${privilege}, ${translation})`;
  for (let length = 0; length < prefixes.length; length++) {
    const words = differingWords(left[length], right[length]);
    if (words.length === 0) continue;
    const lines =
      length === 0 ? [`${head}: even without instructions`] : [`${head}, unit ${length - 1}:`];
    const { placed } = placeBlock(prefixes[length]?.units ?? [], 0);
    const before = left[length - 1];
    for (const { unit, word, instruction } of placed) {
      if (unit !== length - 1) continue;
      lines.push(
        `  ${word.toString(16).padStart(2 * instruction.bytes, '0')}  ${instruction.text}`,
      );
      lines.push(...operandLines(instruction.text, before));
    }
    for (const word of words.slice(0, 12)) {
      const values = [left, right].map((results) => hex(results[length]?.[word]));
      const [ours, theirs] = values;
      const name = wordName(word);
      lines.push(`  ${name}: ${campaign.left.name} ${ours}, ${campaign.right.name} ${theirs}`);
    }
    return lines.join('\n');
  }
  return `${head}: the difference needs the blocks before it; no prefix alone shows it`;
}

function hex(value: bigint | undefined): string {
  return `0x${(value ?? 0n).toString(16).padStart(16, '0')}`;
}

function differingWords(
  left: BigUint64Array | undefined,
  right: BigUint64Array | undefined,
): number[] {
  const words: number[] = [];
  left?.forEach((value, word) => {
    if (value !== right?.[word]) words.push(word);
  });
  return words;
}

/** Values before the instruction of the registers its text names. */
function operandLines(text: string, before: BigUint64Array | undefined): string[] {
  if (before === undefined) return [];
  const names = new Set(text.match(/\b[xf]\d+\b/g) ?? []);
  const lines = [...names].map((name) => {
    const number = Number(name.slice(1));
    const word = name.startsWith('f') ? RESULT_F + number : number - 1;
    return `    before: ${name} = ${name === 'x0' ? '0' : hex(before[word])}`;
  });
  return [...lines, `    before: fcsr = ${hex(before[RESULT_FCSR])}`];
}

function wordName(word: number): string {
  if (word < RESULT_F) return `x${word + 1}`;
  if (word < RESULT_FCSR) return `f${word - RESULT_F}`;
  if (word === RESULT_FCSR) return 'fcsr';
  if (word === RESULT_TRAPS) return 'number of traps';
  if (word === RESULT_TRAP_HASH) return 'hash of traps';
  if (word === RESULT_SCRATCH_HASH) return 'hash of memory';
  if (word === RESULT_MSTATUS) return 'mstatus';
  if (word < RESULT_TRAP_LOG + 3 * MAX_TRAPS) {
    const field = ['mepc', 'mcause', 'mtval'][(word - RESULT_TRAP_LOG) % 3];
    return `trap ${Math.floor((word - RESULT_TRAP_LOG) / 3)} ${field}`;
  }
  const address = SCRATCH_ADDRESS + 8 * (word - RESULT_SCRATCH);
  return `memory at middle ${address < SCRATCH_MIDDLE ? '-' : '+'} ${Math.abs(address - SCRATCH_MIDDLE)}`;
}
