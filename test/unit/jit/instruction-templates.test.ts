/**
 * Goal: instructions share a template exactly if their code differs in nothing but what the
 * template leaves open, and a template calls what the instruction needs.
 */

import test from 'ava';
import { present } from '../../../lib/base/assert.js';
import { InstructionTemplates } from '../../../lib/jit/instruction-templates.js';
import { decode32, type Decoded } from '../../../lib/riscv/decode.js';
import { assemble } from '../../support/assembler.js';

const ADDRESSES = { hart: 0, mailbox: 0, cross: 0, ram: 0, heat: 0, entries: 0, jumpCache: 0 };

const decoded = (line: string): Decoded => {
  const { bytes } = assemble(line);
  const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return present(decode32(word), line);
};

const SAME = [
  ['add a0,a1,a2', 'add s0,s1,s2'],
  ['addi a0,a1,5', 'addi t0,t0,-2048'],
  ['ld a0,8(sp)', 'ld ra,-16(s0)'],
  ['fadd.d fa0,fa1,fa2', 'fadd.d ft0,ft0,ft0'],
] as const;
const DIFFERENT = [
  ['add a0,a1,a2', 'add a0,a1,zero'],
  ['add a0,a1,a2', 'sub a0,a1,a2'],
  ['addi a0,a1,5', 'addi a0,a1,0'],
  ['ld a0,8(sp)', 'ld zero,8(sp)'],
  ['fcvt.w.d a0,fa0,rtz', 'fcvt.w.d a0,fa0,rne'],
] as const;

for (const [one, other] of SAME) {
  test(`${one} and ${other} are one template`, (t) => {
    const templates = new InstructionTemplates(ADDRESSES);
    t.is(
      templates.of(decoded(one), 'nothing', false),
      templates.of(decoded(other), 'nothing', false),
    );
  });
}

for (const [one, other] of DIFFERENT) {
  test(`${one} and ${other} are two templates`, (t) => {
    const templates = new InstructionTemplates(ADDRESSES);
    t.not(
      templates.of(decoded(one), 'nothing', false),
      templates.of(decoded(other), 'nothing', false),
    );
  });
}

test('an instruction asks for the FPU only where no one did before it', (t) => {
  const templates = new InstructionTemplates(ADDRESSES);
  const add = decoded('fadd.d fa0,fa1,fa2');
  const first = templates.of(add, 'nothing', false);
  const second = templates.of(add, first.floatCheck, false);
  t.is(first.floatCheck, 'usable');
  t.true(second.template.bytes.length < first.template.bytes.length);
});

const CALLEES = [
  ['add a0,a1,a2', []],
  ['ld a0,0(a1)', []],
  ['sd a0,0(a1)', []],
  ['amoadd.w a0,a1,(a2)', []],
  ['cbo.zero (a0)', []],
  ['mulh a0,a1,a2', ['mulhu']],
  ['fadd.d fa0,fa1,fa2', ['f64_add']],
] as const;

for (const [line, names] of CALLEES) {
  test(`${line} calls ${names.join(', ') || 'nothing'}`, (t) => {
    const { callees } = new InstructionTemplates(ADDRESSES).of(decoded(line), 'nothing', false);
    t.deepEqual(
      callees.map(({ name }) => name),
      [...names],
    );
  });
}
