/**
 * The comparison that all tests of the float library share: same value, same flags, or a message
 * with the operands.
 *
 * `LOCKSTEP_FLOAT_VECTORS` sets the number of vectors for each operation; the default keeps the
 * whole suite within seconds.
 */

import type { ExecutionContext } from 'ava';
import { ExceptionFlag, type FloatFunction } from '../../lib/riscv/float/library.js';
import {
  BATCH,
  RESULT_BYTES,
  findFloatOracle,
  instantiateFloatLibrary,
  type FloatLibrary,
  type FloatOracle,
} from './float-oracle.js';
import { VECTOR_BYTES, vectorsOf, type VectorKind } from './float-oracle-vectors.js';

const MAX_REPORTED = 5;

export function vectorCount(): number {
  const wanted = Number(process.env['LOCKSTEP_FLOAT_VECTORS'] ?? BATCH);
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : BATCH;
}

/** What an operation's registers hold. */
export function kindOf(operation: FloatFunction): VectorKind {
  if (operation.startsWith('f32')) return 'f32';
  return operation.startsWith('f64') ? 'f64' : 'integer';
}

/** Calls `use` with batches of vectors; the last may be shorter. */
export function forEachBatch(
  kind: VectorKind,
  use: (vectors: Uint8Array, seed: number) => void,
): void {
  const total = vectorCount();
  for (let done = 0, seed = 1; done < total; done += BATCH, seed++) {
    use(batchOf(kind, seed, Math.min(BATCH, total - done)), seed);
  }
}

const recent = new Map<VectorKind, { readonly key: string; readonly vectors: Uint8Array }>();

/** All operations of a kind see the same vectors, so the last batch of each kind is kept. */
function batchOf(kind: VectorKind, seed: number, count: number): Uint8Array {
  const key = `${seed}/${count}`;
  const known = recent.get(kind);
  if (known?.key === key) return known.vectors;
  const vectors = vectorsOf(kind, seed, count);
  recent.set(kind, { key, vectors });
  return vectors;
}

let oracle: FloatOracle | string | undefined;
let library: FloatLibrary | undefined;

/**
 * The operation agrees with RISC-V instructions in value and flags in all five modes, both from
 * clear flags, where the integer code runs, and with NX set, where native code may.
 */
export function agreesWithOracle(t: ExecutionContext, operation: FloatFunction): void {
  oracle ??= findFloatOracle();
  if (typeof oracle === 'string') {
    t.log(oracle);
    t.pass();
    return;
  }
  const reference = oracle;
  library ??= instantiateFloatLibrary();
  const subject = library;
  const complaints: string[] = [];
  forEachBatch(kindOf(operation), (vectors, seed) => {
    const expected = reference.run(operation, vectors);
    for (const before of [0, ExceptionFlag.inexact]) {
      const actual = subject.run(operation, vectors, before);
      complaints.push(
        ...differences(vectors, expected, actual, before).map(
          (text) => `${operation} seed ${seed} ${text}`,
        ),
      );
    }
  });
  t.deepEqual(complaints.slice(0, MAX_REPORTED), []);
}

/** `before` is or-ed into the expected flags. */
export function differences(
  vectors: Uint8Array,
  expected: Uint8Array,
  actual: Uint8Array,
  before: number,
): string[] {
  if (expected.length !== actual.length) return [`${expected.length} bytes, ${actual.length}`];
  const wanted = viewOf(expected);
  const found = viewOf(actual);
  const complaints: string[] = [];
  for (let at = 0; at < actual.length; at += RESULT_BYTES) {
    const same =
      wanted.getUint32(at, true) === found.getUint32(at, true) &&
      wanted.getUint32(at + 4, true) === found.getUint32(at + 4, true) &&
      (wanted.getUint32(at + 8, true) | before) === found.getUint32(at + 8, true);
    if (same) continue;
    const vector = describeVector(viewOf(vectors), (at / RESULT_BYTES) * VECTOR_BYTES);
    complaints.push(
      `${vector}: expected ${describeResult(wanted, at)} | ${before}, got ${describeResult(found, at)}`,
    );
    if (complaints.length === MAX_REPORTED) break;
  }
  return complaints;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hex(view: DataView, at: number): string {
  return view.getBigUint64(at, true).toString(16).padStart(16, '0');
}

function describeVector(view: DataView, at: number): string {
  const registers = [0, 8, 16].map((place) => hex(view, at + place)).join(' ');
  const modes = `rm ${view.getUint32(at + 24, true)} negations ${view.getUint32(at + 28, true)}`;
  return `${registers} ${modes}`;
}

function describeResult(view: DataView, at: number): string {
  return `${hex(view, at)} flags ${view.getUint32(at + 8, true)}`;
}
