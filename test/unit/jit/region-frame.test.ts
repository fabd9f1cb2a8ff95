/**
 * Goal: whatever the state of the FPU, compiled code does what interpreted code does; and where
 * registers are only read, as setjmp does, it asks for no more than that the FPU is on.
 */

import test from 'ava';
import { present } from '../../../lib/base/assert.js';
import { RegionFrame, type FloatCheck } from '../../../lib/jit/region-frame.js';
import { decode32 } from '../../../lib/riscv/decode.js';
import { assemble } from '../../support/assembler.js';
import { COMPILER, Guest, INTERPRETER } from '../../support/program.js';

const STATES = 4;
const ROUNDS = 40;
const RESULTS = 0x8001_0000;
const ADDRESSES = { hart: 0, mailbox: 0, cross: 0, ram: 0, heat: 0, entries: 0, jumpCache: 0 };

/** For each state of FS: loops over `body`, and notes mstatus, what it traps by, and a0. */
const source = (body: string): string => `
  la t0,trap
  csrw mtvec,t0
  li s0,${RESULTS}
  li s1,0
  li s2,0x2000
  li s3,0x6000
state:
  li s5,${ROUNDS}
  li s6,0
  csrs mstatus,s3
  li a0,0x3ff0000000000000
  fmv.d.x fa0,a0
  li a0,0
  csrc mstatus,s3
  mul t1,s1,s2
  csrs mstatus,t1
round:
  ${body}
  addi s5,s5,-1
  bnez s5,round
  csrr t1,mstatus
  sd t1,0(s0)
  sd s6,8(s0)
  sd a0,16(s0)
  addi s0,s0,64
  addi s1,s1,1
  li t1,${STATES}
  bne s1,t1,state
end:
  j end
  .align 4
trap:
  addi s6,s6,1
  csrr t1,mepc
  addi t1,t1,4
  csrw mepc,t1
  mret`;

const BODIES = {
  'fsd, fmv.x.d': 'fsd fa0,24(s0)\n  fmv.x.d a0,fa0',
  'fsw, fmv.x.w': 'fsw fa0,24(s0)\n  fmv.x.w a0,fa0',
  'fld, fadd.d': 'fld fa1,24(s0)\n  fadd.d fa0,fa0,fa1\n  fmv.x.d a0,fa0',
  'fsd, then fadd.d': 'fsd fa0,24(s0)\n  fadd.d fa0,fa0,fa0\n  fsd fa0,32(s0)',
  'feq.d': 'feq.d a0,fa0,fa0',
  // Two rows that call one function of the library.
  'fmadd.d, fmsub.d': 'fmadd.d fa1,fa0,fa0,fa0\n  fmsub.d fa0,fa1,fa0,fa1\n  fmv.x.d a0,fa0',
} as const;

for (const [name, body] of Object.entries(BODIES)) {
  test(`each state of the FPU gives compiled what it gives interpreted (${name})`, (t) => {
    const program = assemble(source(body));
    const [compiled, interpreted] = [COMPILER, INTERPRETER].map((engine) => {
      const guest = new Guest(engine).program(program);
      guest.run(STATES * ROUNDS * 16);
      return guest;
    });
    t.is(compiled?.get('s1'), BigInt(STATES));
    t.is(compiled?.fingerprint(), interpreted?.fingerprint());
  });
}

const FSD = present(decode32(0x00a5_3027), 'fsd');

test('an instruction asks for the FPU unless as much was asked for before it', (t) => {
  const asks = (floatCheck: FloatCheck, need: 'readable' | 'usable'): boolean => {
    const frame = new RegionFrame(FSD, {
      address: ADDRESSES,
      counting: true,
      floatCheck,
      remembers: false,
    });
    return frame.requireFloat(need).length > 0;
  };
  t.true(asks('nothing', 'readable'));
  t.false(asks('readable', 'readable'));
  t.true(asks('readable', 'usable'));
  t.false(asks('usable', 'usable'));
  t.false(asks('usable', 'readable'), 'what may be written may be read');
});

test('what was asked for is known behind the instruction', (t) => {
  const context = {
    address: ADDRESSES,
    counting: true,
    floatCheck: 'nothing',
    remembers: false,
  } as const;
  const frame = new RegionFrame(FSD, context);
  frame.requireFloat('readable');
  t.is(frame.floatCheck, 'readable');
});
