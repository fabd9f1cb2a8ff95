/**
 * Runs the float library on vectors, and a RISC-V emulator on the same ones.
 *
 * The library is instantiated in a module of its own with one driver function per operation,
 * which walks over vectors in memory, so that millions of them cost no call from JavaScript. The
 * reference is `float-oracle.c`, compiled with any RISC-V compiler found and run under QEMU's
 * user emulation; a test that needs it asks `findFloatOracle` and skips where it is null.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import {
  FLAGS_GLOBAL,
  FLOAT,
  defineFloatLibrary,
  type FloatFunction,
} from '../../lib/riscv/float/library.js';
import { block, br, brIf, call, global, label, local, loop, set } from '../../lib/wasm/ir.js';
import { setGlobal, type Expr, type FunctionSignature, type Stmt } from '../../lib/wasm/ir.js';
import { ModuleBuilder } from '../../lib/wasm/module.js';
import { i32, i64 } from '../../lib/wasm/ops.js';
import { VECTOR_BYTES } from './float-oracle-vectors.js';

/** Value and flags, each 64 bits. */
export const RESULT_BYTES = 16;

/** Vectors of one call to the driver. */
export const BATCH = 200_000;

/** The part of the host's WebAssembly that is used here; @types/node does not declare it. */
declare const WebAssembly: {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => {
    readonly buffer: SharedArrayBuffer;
  };
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: object,
  ) => { readonly exports: Readonly<Record<string, (count: number, flags: number) => void>> };
};

const RESULTS_BASE = BATCH * VECTOR_BYTES;
const PAGES = Math.ceil((RESULTS_BASE + BATCH * RESULT_BYTES) / 65536);

export const FUNCTIONS = Object.keys(FLOAT).sort() as FloatFunction[];

export interface FloatLibrary {
  /** Results of up to `BATCH` vectors, each run with fflags set to `flags` before. */
  run(operation: FloatFunction, vectors: Uint8Array, flags: number): Uint8Array;
}

export function instantiateFloatLibrary(): FloatLibrary {
  const builder = new ModuleBuilder({ initialPages: PAGES, maximumPages: PAGES });
  builder.defineGlobal(FLAGS_GLOBAL, 'i32');
  defineFloatLibrary(builder);
  for (const operation of FUNCTIONS) defineDriver(builder, FLOAT[operation]);
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const module = new WebAssembly.Module(builder.finish());
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const bytes = new Uint8Array(memory.buffer);
  return {
    run: (operation, vectors, flags) => {
      const count = vectors.length / VECTOR_BYTES;
      bytes.set(vectors, 0);
      exports[`drive_${operation}`]?.(count, flags);
      return bytes.slice(RESULTS_BASE, RESULTS_BASE + count * RESULT_BYTES);
    },
  };
}

/** Calls `target` for `count` vectors from address 0; see `float-oracle.c` for the layouts. */
function defineDriver(builder: ModuleBuilder, target: FunctionSignature): void {
  const count = local('i32');
  const flags = local('i32');
  const from = local('i32');
  const to = local('i32');
  const again = label();
  const done = label();
  const signature: FunctionSignature = {
    name: `drive_${target.name}`,
    params: ['i32', 'i32'],
    result: null,
  };
  const body: readonly Stmt[] = [
    brIf(done, i32.eqz(count)),
    setGlobal(FLAGS_GLOBAL, flags),
    i64.store(to, call('i64', target, argumentsOf(target, from))),
    i64.store(to, i64.extendI32U(global('i32', FLAGS_GLOBAL)), 8),
    set(from, i32.add(from, i32.const(VECTOR_BYTES))),
    set(to, i32.add(to, i32.const(RESULT_BYTES))),
    set(count, i32.sub(count, i32.const(1))),
    br(again),
  ];
  builder.define(
    signature,
    [count, flags],
    [set(to, i32.const(RESULTS_BASE)), block(done, [loop(again, body)])],
    { exported: true },
  );
}

function argumentsOf(target: FunctionSignature, from: Expr<'i32'>): readonly Expr[] {
  const registers = target.params
    .filter((type) => type === 'i64')
    .map((_, index) => i64.load(from, index * 8));
  const rm = i32.load(from, 24);
  const negations = i32.load(from, 28);
  const one = i32.const(1);
  switch (target.params.length - registers.length) {
    case 0:
      return registers;
    case 1:
      return [...registers, rm];
    default: {
      const negateProduct = i32.and(negations, one);
      const negateAddend = i32.shrU(negations, one);
      return [...registers, negateProduct, negateAddend, rm];
    }
  }
}

export interface FloatOracle {
  /** What RISC-V instructions give, from clear flags. */
  run(operation: FloatFunction, vectors: Uint8Array): Uint8Array;
}

const EMULATORS = ['qemu-riscv64-static', 'qemu-riscv64'];
const COMPILERS = ['riscv64-linux-gnu-gcc', 'riscv64-unknown-elf-gcc'];

/** The reference, compiled on first use, or the reason why there is none. */
export function findFloatOracle(): FloatOracle | string {
  const works = (program: string): boolean => spawnSync(program, ['--version']).status === 0;
  const emulator = EMULATORS.find(works);
  if (emulator === undefined) return `skipped: none of ${EMULATORS.join(', ')} is installed`;
  const compiler = COMPILERS.find(works);
  if (compiler === undefined) return `skipped: none of ${COMPILERS.join(', ')} is installed`;
  const program = compileOracle(compiler);
  return {
    run: (operation, vectors) => {
      const maxBuffer = (vectors.length / VECTOR_BYTES) * RESULT_BYTES + 4096;
      const ran = spawnSync(emulator, [program, operation], { input: vectors, maxBuffer });
      if (ran.status !== 0) throw new Error(`float oracle: status ${ran.status} on ${operation}`);
      return ran.stdout;
    },
  };
}

/** Compiles into the build's own folder, under a name that changes with the source. */
function compileOracle(compiler: string): string {
  const source = new URL('../../../test/support/float-oracle.c', import.meta.url).pathname;
  const digest = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 16);
  const folder = new URL('.', import.meta.url).pathname;
  const program = join(folder, `float-oracle-${digest}`);
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const partial = `${program}.${process.pid}`;
  const flags = ['-march=rv64gc', '-mabi=lp64d', '-O2', '-ffreestanding', '-nostdlib', '-static'];
  const compiled = spawnSync(compiler, [...flags, '-o', partial, source], { encoding: 'utf8' });
  if (compiled.status !== 0) throw new Error(`float oracle: ${compiler}: ${compiled.stderr}`);
  // Test files run in parallel: whoever is last replaces an equal file.
  renameSync(partial, program);
  return program;
}
