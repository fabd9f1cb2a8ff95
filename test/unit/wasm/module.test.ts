/**
 * Goal: a module has its sections in order, shares one type for equal signatures, and its branch
 * hints point at the branches.
 * Method: a reader of sections; the host instantiates what is built.
 */

import test from 'ava';
import { ModuleBuilder } from '../../../lib/wasm/module.js';
import {
  brIf,
  call,
  callIndirect,
  callVoid,
  global,
  label,
  local,
  loop,
  ret,
  set,
  setGlobal,
  when,
  type FunctionSignature,
} from '../../../lib/wasm/ir.js';
import { i32 } from '../../../lib/wasm/ops.js';
import { build, importOf } from './fixture.js';

declare const WebAssembly: {
  Memory: new (limits: { initial: number; maximum: number; shared: boolean }) => object;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { readonly exports: object };
  Table: new (options: { initial: number; element: string }) => {
    set(index: number, value: unknown): void;
  };
};

/** What a module exports, by name. */
function instance(bytes: Uint8Array, env: object = {}): Readonly<Record<string, unknown>> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const module = new WebAssembly.Module(bytes);
  const { exports } = new WebAssembly.Instance(module, { env: { memory, ...env } });
  return { ...exports };
}

interface Section {
  readonly id: number;
  readonly start: number;
  readonly bytes: Uint8Array;
}

class Reader {
  at = 0;
  private readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  u8(): number {
    return this.bytes[this.at++] ?? NaN;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.u8();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  take(length: number): Uint8Array {
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  name(): string {
    return new TextDecoder().decode(this.take(this.u32()));
  }
}

function sectionsOf(module: Uint8Array): Section[] {
  const reader = new Reader(module);
  reader.take(8);
  const sections: Section[] = [];
  while (!reader.isAtEnd) {
    const id = reader.u8();
    const length = reader.u32();
    sections.push({ id, start: reader.at, bytes: reader.take(length) });
  }
  return sections;
}

const a = local('i32');

test('sections come in the order of the standard, hints before the code', (t) => {
  const { bytes } = build({
    params: [a],
    globals: [['g', 'i32']],
    imports: { note: () => 0 },
    body: [when(a, [ret()], [], 'unlikely')],
  });
  t.deepEqual([...bytes.subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  t.deepEqual(
    sectionsOf(bytes).map(({ id }) => id),
    [1, 2, 3, 6, 7, 0, 10],
  );
});

test('functions of equal signature share a type', (t) => {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  const signature = (name: string): FunctionSignature => ({ ...importOf(name) });
  module.importFunction(signature('one'));
  for (const name of ['two', 'three']) {
    const params = [local('i32'), local('i32')] as const;
    module.define(signature(name), params, [ret(i32.add(...params))]);
  }
  const types = sectionsOf(module.finish()).find(({ id }) => id === 1);
  t.is(types?.bytes[0], 1);
});

test('branch hints name function, offset and direction of each hinted branch', (t) => {
  const again = label();
  const { bytes, run } = build({
    params: [a],
    result: 'i32',
    imports: { note: (x = 0) => x },
    body: [
      when(i32.eqz(a), [ret(i32.const(-1))], [], 'unlikely'),
      loop(again, [set(a, i32.sub(a, i32.const(1))), brIf(again, a, 'likely')]),
      when(a, []),
      ret(call('i32', importOf('note'), [a, a])),
    ],
  });
  t.is(run(5), 0);
  const sections = sectionsOf(bytes);
  const hints = new Reader(sections.find(({ id }) => id === 0)?.bytes ?? new Uint8Array(0));
  t.is(hints.name(), 'metadata.code.branch_hint');
  t.is(hints.u32(), 1, 'functions with hints');
  t.is(hints.u32(), 1, 'behind the import');
  const count = hints.u32();
  const found = Array.from({ length: count }, () => {
    const offset = hints.u32();
    hints.u32();
    return { offset, direction: hints.u8() };
  });
  t.deepEqual(
    found.map(({ direction }) => direction),
    [0, 1],
  );
  t.true(hints.isAtEnd);
  const code = new Reader(sections.find(({ id }) => id === 10)?.bytes ?? new Uint8Array(0));
  code.u32();
  const body = code.take(code.u32());
  // 0x04 is if, 0x0d is br_if; offsets count from the start of the body with its locals.
  t.deepEqual(
    found.map(({ offset }) => body[offset]),
    [0x04, 0x0d],
  );
});

test('without hints there is no such section', (t) => {
  const { bytes } = build({ params: [a], body: [when(a, [])] });
  t.false(sectionsOf(bytes).some(({ id }) => id === 0));
});

const inner: FunctionSignature = { name: 'inner', params: ['i32'], result: 'i32' };
const outer: FunctionSignature = { name: 'outer', params: ['i32'], result: 'i32' };

function innerAndOuter(): ModuleBuilder {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  const [x, y] = [local('i32'), local('i32')];
  module.define(outer, [x], [ret(call('i32', inner, [x]))], { exported: true });
  module.define(inner, [y], [ret(i32.mul(y, y))]);
  return module;
}

test('only what is asked for is exported, and calls go to defined functions', (t) => {
  t.deepEqual(Object.keys(instance(innerAndOuter().finish())), ['outer']);
  const module = innerAndOuter();
  module.exportAll();
  t.deepEqual(Object.keys(instance(module.finish())).sort(), ['inner', 'outer']);
});

test('modules share globals and call each other through a table', (t) => {
  const first = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  first.defineGlobal('count', 'i32');
  const x = local('i32');
  const next = i32.add(global('i32', 'count'), x);
  first.define(inner, [x], [setGlobal('count', next), ret(global('i32', 'count'))], {
    exported: true,
  });
  const one = instance(first.finish());
  const table = new WebAssembly.Table({ initial: 4, element: 'anyfunc' });
  table.set(3, one['inner']);
  const second = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  second.importGlobal('count', 'i32');
  second.importTable(4);
  const y = local('i32');
  const through = callIndirect('i32', inner, { index: i32.const(3), args: [y] });
  const sum = i32.add(through, i32.mul(global('i32', 'count'), i32.const(100)));
  second.define(outer, [y], [ret(sum)], { exported: true });
  const other = instance(second.finish(), { count: one['count'], table });
  const run = other['outer'] as (value: number) => number;
  t.deepEqual([run(5), run(2)], [505, 707]);
});

test('imports after definitions, and two functions of one name, are refused', (t) => {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  module.define({ name: 'f', params: [], result: null }, [], []);
  t.throws(() => module.importFunction(importOf('late')), { message: /must come first/ });
  t.throws(() => module.define({ name: 'f', params: [], result: null }, [], []), {
    message: /twice/,
  });
});

test('an import that is relayed is called with the same arguments and results', (t) => {
  const module = new ModuleBuilder({ initialPages: 1, maximumPages: 1 });
  const sum: FunctionSignature = { name: 'sum', params: ['i32', 'i32'], result: 'i32' };
  const note: FunctionSignature = { name: 'note', params: ['i32'], result: null };
  const run: FunctionSignature = { name: 'run', params: ['i32'], result: 'i32' };
  module.importFunction(sum);
  module.importFunction(note);
  module.relayImports();
  const value = local('i32');
  const body = [callVoid(note, [value]), ret(call('i32', sum, [value, i32.const(5)]))];
  module.define(run, [value], body, { exported: true });
  const noted: number[] = [];
  const env = { sum: (a: number, b: number) => a - b, note: (a: number) => noted.push(a) };
  const exported = instance(module.finish(), env)['run'] as (value: number) => number;
  t.is(exported(12), 7);
  t.deepEqual(noted, [12]);
});
