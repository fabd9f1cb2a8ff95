/**
 * `lockstep regions`: runs a guest for a while and prints the compiled regions that it spends most
 * of its steps in: guest code, and the WebAssembly it became.
 */

import { LockstepError } from '../../lib/base/error.js';
import { setEngineFlags } from '../../lib/host/engine-flags.js';
import type { Block, Region, Terminator } from '../../lib/jit/region.js';
import { disassembleDecoded } from '../../lib/riscv/disassemble.js';
import { disassembleModule } from '../../lib/wasm/disassemble.js';
import type { Arguments, Command } from '../command.js';
import { MACHINE_OPTIONS, readMachine } from '../machine-flags.js';
import { toJsonLine, writeLines } from '../output.js';
import { profileRegions, type ProfiledRegion, type RegionProfile } from '../region-profile.js';

const DEFAULT_TOP = 3;

export const regions: Command = {
  usage: ['regions --until STEP --kernel FILE [--at ADDRESS] [--top N] [--wasm] [OPTION]...'],
  description:
    'Runs a machine without a console to a step and prints the regions of guest code that it ' +
    'spends most of its steps in: blocks with their instructions, where the region is entered, ' +
    'its size, and with --wasm the WebAssembly that it was compiled to. Compressed instructions ' +
    'are shown in their full form. The place is looked at every 19,997 steps; the run depends on ' +
    'nothing of the host, so the result is the same every time.',
  options: {
    ...MACHINE_OPTIONS,
    until: { type: 'string', value: 'STEP', help: 'how far the guest runs' },
    top: { type: 'string', value: 'N', help: `how many regions are printed (${DEFAULT_TOP})` },
    at: { type: 'string', value: 'ADDRESS', help: 'only regions with the instruction there' },
    wasm: { type: 'boolean', help: 'print their WebAssembly too' },
    json: { type: 'boolean', help: 'one JSON object a line and region, without code' },
  },
  async run(args: Arguments): Promise<number> {
    const untilStep = args.count('until');
    if (untilStep === undefined) throw new LockstepError('USAGE', '--until STEP is needed');
    const at = readAddress(args.text('at'));
    const top = args.integer('top', 1, 100_000) ?? DEFAULT_TOP;
    const spec = await readMachine(args, 'agreed');
    if (spec.engine.engine === 'interpreter') {
      throw new LockstepError('USAGE', '--engine interpreter compiles nothing');
    }
    setEngineFlags();
    const profile = profileRegions(spec, untilStep);
    const chosen = profile.regions
      .filter(({ region }) => at === null || hasInstruction(region, at))
      .sort((a, b) => b.samples - a.samples)
      .slice(0, top);
    if (args.flag('json')) {
      await writeLines(chosen.map((one) => toJsonLine(jsonOf(one, profile))));
      return 0;
    }
    process.stdout.write(`${summaryOf(profile)}\n`);
    for (const one of chosen) await writeLines(linesOf(one, profile, args.flag('wasm')));
    return 0;
  },
};

function readAddress(text: string | undefined): bigint | null {
  if (text === undefined) return null;
  if (!/^(0x[0-9a-f]{1,16}|\d{1,20})$/i.test(text)) {
    throw new LockstepError('USAGE', `--at: "${text}" is no address such as 0x80000000`);
  }
  return BigInt.asUintN(64, BigInt(text));
}

function hasInstruction(region: Region, address: bigint): boolean {
  return [...region.blocks.values()].some(({ instructions }) =>
    instructions.some(({ pc }) => pc === address),
  );
}

export function summaryOf({ regions: all, samples, steps, end }: RegionProfile): string {
  const compiled = all.reduce((sum, region) => sum + region.samples, 0);
  const instructions = all.reduce((sum, { region }) => sum + region.instructionCount, 0);
  const share = samples === 0 ? '' : `; ${percent(compiled, samples)} of the steps lie in them`;
  const ends = { reached: '', stopped: ', where the guest stopped', parked: ', where it parked' };
  return (
    `${all.length} regions with ${instructions} instructions compiled in ${steps} steps` +
    `${ends[end]}${share}`
  );
}

function jsonOf({ region, bytes, samples }: ProfiledRegion, profile: RegionProfile): object {
  return {
    start: hex(region.start),
    entries: region.entries.map(hex),
    blocks: region.blocks.size,
    instructions: region.instructionCount,
    wasmBytes: bytes.length,
    samples,
    share: profile.samples === 0 ? 0 : samples / profile.samples,
  };
}

function* linesOf(
  { region, bytes, samples }: ProfiledRegion,
  profile: RegionProfile,
  withCode: boolean,
): Iterable<string> {
  yield '';
  yield (
    `region ${hex(region.start)}: ${percent(samples, profile.samples)} of the steps, ` +
    `${region.instructionCount} instructions in ${region.blocks.size} blocks, ` +
    `${bytes.length} bytes of WebAssembly`
  );
  yield `  entered at ${region.entries.map(hex).join(', ')}`;
  const blocks = [...region.blocks.values()].sort((a, b) => (a.pc < b.pc ? -1 : 1));
  for (const block of blocks) yield* blockLines(block, region);
  if (!withCode) return;
  yield '';
  for (const line of disassembleModule(bytes).trimEnd().split('\n')) yield `  ${line}`;
}

function* blockLines({ pc: start, instructions, end }: Block, region: Region): Iterable<string> {
  yield `  ${hex(start)}:`;
  for (const { pc, decoded } of instructions) {
    const [name = '', operands = ''] = disassembleDecoded(decoded, pc).split(' ', 2);
    yield `    ${hex(pc)}  ${name.padEnd(10)} ${operands}`.trimEnd();
  }
  yield `    -> ${describeEnd(end, region)}`;
}

/** Where control goes; `out` marks what leaves the region. */
function describeEnd(end: Terminator, region: Region): string {
  const place = (pc: bigint): string => `${hex(pc)}${region.blocks.has(pc) ? '' : ' (out)'}`;
  switch (end.kind) {
    case 'branch':
      return `${place(end.taken)} or ${place(end.next)}`;
    case 'jump':
    case 'fall':
      return place(end.target);
    default:
      return 'by register';
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0 %' : `${((100 * part) / whole).toFixed(1)} %`;
}
