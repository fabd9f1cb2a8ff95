/**
 * Goal: the text of a module says what its bytes do, for every node that the emitter knows.
 * Method: modules built here, whose text is known; modules cut short.
 */

import test from 'ava';
import { DecodeError } from '../../../lib/base/bytes.js';
import { disassembleModule } from '../../../lib/wasm/disassemble.js';
import {
  block,
  branchTable,
  brIf,
  call,
  choose,
  drop,
  label,
  local,
  loop,
  ret,
  select,
  set,
  tee,
  UNREACHABLE,
  when,
} from '../../../lib/wasm/ir.js';
import { f32, f64, i32, i64 } from '../../../lib/wasm/ops.js';
import { setEngineFlags } from '../../../lib/host/engine-flags.js';
import { build, importOf } from './fixture.js';

test('blocks are nested, locals numbered, functions named, constants signed', (t) => {
  const a = local('i32');
  const b = local('i64');
  const again = label();
  const out = label();
  const { bytes } = build({
    params: [a],
    result: 'i64',
    imports: { slow: () => 1 },
    body: [
      block(out, [
        loop(again, [
          brIf(out, i32.eqz(call('i32', importOf('slow'), [a, i32.const(-64)]))),
          set(b, i64.load32U(a, 16)),
          when(i32.ltU(a, i32.const(9)), [i64.store8(a, b)], [UNREACHABLE]),
          brIf(again, i64.eqz(tee(b, i64.const(-1n << 63n)))),
        ]),
      ]),
      ret(b),
    ],
  });
  t.is(
    disassembleModule(bytes),
    `func $run (param i32) (result i64) (local 1 x i64)
  block
    loop
      local.get 0
      i32.const -64
      call $slow
      i32.eqz
      br_if 1
      local.get 0
      i64.load32_u offset=16
      local.set 1
      local.get 0
      i32.const 9
      i32.lt_u
      if
        local.get 0
        local.get 1
        i64.store8
      else
        unreachable
      end
      i64.const -9223372036854775808
      local.tee 1
      i64.eqz
      br_if 0
    end
  end
  local.get 1
  return
  unreachable
`,
  );
});

test('every operation has a name, and values, tables and choices are told', (t) => {
  const a = local('i32');
  const { bytes } = build({
    params: [a],
    body: [
      drop(f64.add(f64.const(1.5), f64.promote(f32.sqrt(f32.reinterpretI32(a))))),
      drop(i64.truncSatF64U(f64.const(2))),
      drop(select(a, i64.const(1), i64.const(2))),
      drop(choose(a, i32.const(1), i32.const(2))),
      branchTable(a, [[drop(a)], []], []),
    ],
  });
  const text = disassembleModule(bytes);
  for (const part of ['f64.const 1.5', 'f64.promote', 'i64.trunc_sat_f64_u', 'select']) {
    t.true(text.includes(part), part);
  }
  t.regex(text, /if \(result i32\)\n/);
  t.regex(text, /br_table \d/);
});

test('a multiply-add is told as the vector instructions it is', (t) => {
  setEngineFlags();
  const one = f64.const(1);
  const { bytes } = build({ body: [drop(f64.multiplyAdd(one, one, one))] });
  const text = disassembleModule(bytes);
  for (const part of ['f64x2.splat', 'f64x2.relaxed_madd', 'f64x2.extract_lane 0']) {
    t.true(text.includes(part), part);
  }
});

test('a module that is cut short is refused, and so is what is none', (t) => {
  const { bytes } = build({ params: [local('i32')], body: [drop(i32.const(5))] });
  let refused = 0;
  for (let length = 1; length < bytes.length; length++) {
    try {
      disassembleModule(bytes.subarray(0, length));
    } catch (error) {
      t.true(error instanceof DecodeError);
      refused++;
    }
  }
  t.true(refused > bytes.length / 2);
  t.throws(() => disassembleModule(Buffer.from('something else')), { instanceOf: DecodeError });
});
