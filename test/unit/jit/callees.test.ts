/**
 * Goal: a region imports exactly what its code can call.
 * Method: regions of one instruction, and the names that come out.
 */

import test from 'ava';
import { calleesOf } from '../../../lib/jit/callees.js';
import { discoverRegion } from '../../../lib/jit/region.js';
import { decode32 } from '../../../lib/riscv/decode.js';
import { assemble } from '../../support/assembler.js';

function calleesOfSource(source: string): readonly string[] {
  const { bytes } = assemble(source);
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const region = discoverRegion(0x8000_0000n, (pc) =>
    pc === 0x8000_0000n ? decode32(word) : null,
  );
  if (region === null) throw new Error('no region');
  return calleesOf(region).map((callee) => callee.name);
}

test('integer arithmetic calls nothing', (t) => {
  t.deepEqual(calleesOfSource('add a0,a1,a2'), []);
});

test('loads and stores call their slow ways', (t) => {
  t.deepEqual(calleesOfSource('lw a0,0(a1)'), ['slowLoad']);
  t.deepEqual(calleesOfSource('sd a0,0(a1)'), ['slowStore']);
});

test('an expression brings the functions that it names', (t) => {
  t.deepEqual(calleesOfSource('mulh a0,a1,a2'), ['mulhu']);
  t.deepEqual(calleesOfSource('fadd.d fa0,fa1,fa2'), ['f64_add']);
});

test('an atomic calls the hart for its address and for special pages', (t) => {
  t.deepEqual(calleesOfSource('amoadd.w a0,a1,(a2)'), ['atomicAddress']);
});
