/**
 * Regions of guest code for tests of the compiler: assembled here, discovered without a machine.
 */

import { decode16, decode32, isCompressed } from '../../lib/riscv/decode.js';
import { discoverRegion, type Decoder, type Region } from '../../lib/jit/region.js';
import { assemble } from './assembler.js';

const BASE = 0x8000_0000n;

function decoderOf(source: string): Decoder {
  const { bytes } = assemble(source);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return (pc) => {
    const at = Number(pc - BASE);
    if (at < 0 || at + 4 > bytes.length) return null;
    const half = view.getUint16(at, true);
    return isCompressed(half) ? decode16(half) : decode32(view.getUint32(at, true));
  };
}

/** The region around the first instruction of `source`. */
export function regionOf(source: string): Region {
  const region = discoverRegion(BASE, decoderOf(`${source}\n  .word 0\n  .word 0\n`));
  if (region === null) throw new Error('no region');
  return region;
}

/** A loop of two instructions and what lies before and behind it. */
export const LOOP = `
  li a0,10
again:
  addi a0,a0,-1
  bnez a0,again
  ebreak
`;
