/**
 * Loads, stores and cbo.zero of generated code: the TLB is looked up inline; everything that it
 * does not answer goes to the hart. A misaligned access within one page is still fast.
 */

import {
  call,
  local,
  ret,
  set,
  unlikely,
  when,
  type Expr,
  type FunctionSignature,
  type Local,
  type Stmt,
} from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import type { ModuleBuilder } from '../../wasm/module.js';
import { TLB_ENTRIES, TLB_WRITE_OFFSET } from '../derived.js';
import {
  IMPORTS,
  STATUS_DONE,
  STATUS_LEAVE,
  STATUS_TRAP,
  ZERO,
  type AccessFrame,
  type RegisterFile,
  type SlowFrame,
} from './access-frame.js';

type I64 = Expr<'i64'>;
type I32 = Expr<'i32'>;

export const SLOW_LOAD: FunctionSignature = {
  name: 'slowLoad',
  params: ['i64', 'i32', 'i32'],
  result: 'i32',
};
export const SLOW_STORE: FunctionSignature = {
  name: 'slowStore',
  params: ['i64', 'i32', 'i32'],
  result: 'i32',
};

interface LoadShape {
  readonly bytes: number;
  readonly fast: (address: I32) => I64;
  readonly extend: (zeroExtended: I64) => I64;
  readonly destination: 'rd' | 'frd';
}

const box = (value: I64): I64 => i64.or(value, i64.const(0xffffffff00000000n));
const same = (value: I64): I64 => value;

const SHAPES: Readonly<Record<string, LoadShape>> = {
  i8: { bytes: 1, fast: i64.load8S, extend: i64.extend8S, destination: 'rd' },
  u8: { bytes: 1, fast: i64.load8U, extend: same, destination: 'rd' },
  i16: { bytes: 2, fast: i64.load16S, extend: i64.extend16S, destination: 'rd' },
  u16: { bytes: 2, fast: i64.load16U, extend: same, destination: 'rd' },
  i32: { bytes: 4, fast: i64.load32S, extend: i64.extend32S, destination: 'rd' },
  u32: { bytes: 4, fast: i64.load32U, extend: same, destination: 'rd' },
  i64: { bytes: 8, fast: i64.load, extend: same, destination: 'rd' },
  f32: { bytes: 4, fast: (at) => box(i64.load32U(at)), extend: box, destination: 'frd' },
  f64: { bytes: 8, fast: i64.load, extend: same, destination: 'frd' },
};

/** Address of the TLB entry for a virtual address in the context at `context`. */
export function tlbEntry(context: I32, virtual: I64): I32 {
  const index = i32.and(
    i32.wrap(i64.shrU(virtual, i64.const(8))),
    i32.const((TLB_ENTRIES - 1) << 4),
  );
  return i32.add(context, index);
}

/** The entry holds the page of `virtual`, and `virtual` is aligned to `bytes`. */
export function tlbHit(entry: I32, virtual: I64, way: { half: number; bytes: number }): I32 {
  return i64.eq(i64.load(entry, way.half), maskedTo(way.bytes, virtual));
}

/** The address of a page, if `virtual` is aligned to `bytes`; else that of none. */
function maskedTo(bytes: number, virtual: I64): I64 {
  return i64.and(virtual, i64.const(BigInt(-4096 | (bytes - 1))));
}

export function hostAddress(entry: I32, virtual: I64, half: number): I32 {
  return i32.add(i32.load(entry, half + 8), i32.wrap(virtual));
}

export const lowHalf = (value: I64): I32 => i32.wrap(value);
export const highHalf = (value: I64): I32 => i32.wrap(i64.shrU(value, i64.const(32)));

export function loadEffect(
  frame: AccessFrame,
  registers: RegisterFile,
  access: { readonly kind: string; readonly address: I64 },
): readonly Stmt[] {
  const shape = SHAPES[access.kind];
  if (shape === undefined) throw new Error(`interpreter: unknown load ${access.kind}`);
  const { virtual, value } = frame;
  return [
    set(virtual, access.address),
    ...atHost(frame, {
      half: 0,
      bytes: shape.bytes,
      fast: (host) => set(value, shape.fast(host)),
      slow: () => slowLoad(frame, registers, shape),
    }),
    ...registers.assign(shape.destination, value),
  ];
}

/** An access at the host address of `virtual`, where the TLB or a memo of it tells it. */
function atHost(
  frame: AccessFrame,
  access: {
    readonly half: number;
    readonly bytes: number;
    readonly fast: (host: I32) => Stmt;
    readonly slow: () => readonly Stmt[];
  },
): readonly Stmt[] {
  const { virtual, entry, memo } = frame;
  const { half, bytes, fast } = access;
  const place = memo ?? entry;
  const lookUp = set(place, tlbEntry(frame.dataContext, virtual));
  const hit = tlbHit(place, virtual, { half, bytes });
  const found = fast(hostAddress(place, virtual, half));
  if (memo === null) return [lookUp, when(hit, [found], access.slow(), 'likely')];
  // An entry that holds the page is the page's own, wherever its address comes from.
  return [unlikely(i32.eqz(hit), [lookUp, unlikely(i32.eqz(hit), access.slow())]), found];
}

function slowLoad(frame: AccessFrame, registers: RegisterFile, shape: LoadShape): readonly Stmt[] {
  const { slow, virtual, value } = frame;
  if (slow === null) return frame.leaveUndone();
  return [
    ...slow.synchronise(),
    slow.slowCall(SLOW_LOAD, [virtual, frame.dataContext, i32.const(shape.bytes)]),
    when(i32.eq(slow.status, i32.const(STATUS_TRAP)), slow.onTrap()),
    set(value, shape.extend(i64.load(ZERO, frame.mailbox('value')))),
    when(i32.eq(slow.status, i32.const(STATUS_LEAVE)), [
      ...registers.assign(shape.destination, value),
      ...slow.onLeave(),
    ]),
  ];
}

function storeBytes(bytes: number, address: I32, value: I64): Stmt {
  switch (bytes) {
    case 1:
      return i64.store8(address, value);
    case 2:
      return i64.store16(address, value);
    case 4:
      return i64.store32(address, value);
    default:
      return i64.store(address, value);
  }
}

export function storeEffect(
  frame: AccessFrame,
  access: { readonly bytes: number; readonly address: I64; readonly value: I64 },
): readonly Stmt[] {
  return [
    set(frame.virtual, access.address),
    ...atHost(frame, {
      half: TLB_WRITE_OFFSET,
      bytes: access.bytes,
      fast: (host) => storeBytes(access.bytes, host, access.value),
      slow: () => slowStore(frame, access),
    }),
  ];
}

function slowStore(
  frame: AccessFrame,
  access: { readonly bytes: number; readonly value: I64 },
): readonly Stmt[] {
  const { slow } = frame;
  if (slow === null) return frame.leaveUndone();
  const args = [frame.virtual, frame.dataContext, i32.const(access.bytes)];
  return [
    i64.store(ZERO, access.value, frame.mailbox('value')),
    ...slow.synchronise(),
    slow.slowCall(SLOW_STORE, args),
    ...afterWrite(slow),
  ];
}

/** Behind a slow operation that wrote. */
function afterWrite(slow: SlowFrame): readonly Stmt[] {
  const isTrap = i32.eq(slow.status, i32.const(STATUS_TRAP));
  return [when(slow.status, [when(isTrap, slow.onTrap()), ...slow.onLeave()])];
}

/** cbo.zero clears the 64-byte block that holds the address (CMO specification, cbo.zero). */
export function zeroBlockEffect(frame: AccessFrame, address: I64): readonly Stmt[] {
  const { virtual, entry, host } = frame;
  const clear = Array.from({ length: 8 }, (_, index) => i64.store(host, i64.const(0n), index * 8));
  const hit = tlbHit(entry, virtual, { half: TLB_WRITE_OFFSET, bytes: 1 });
  return [
    set(virtual, i64.and(address, i64.const(-64n))),
    set(entry, tlbEntry(frame.dataContext, virtual)),
    when(
      i32.and(hit, i32.load(ZERO, frame.mailbox('cboAllowed'))),
      [set(host, hostAddress(entry, virtual, TLB_WRITE_OFFSET)), ...clear],
      slowZeroBlock(frame, address),
      'likely',
    ),
  ];
}

function slowZeroBlock(frame: AccessFrame, address: I64): readonly Stmt[] {
  const { slow } = frame;
  if (slow === null) return frame.leaveUndone();
  return [
    ...slow.synchronise(),
    // The fault address is that of the operand, not of the block.
    slow.slowCall(IMPORTS.zeroBlock, [lowHalf(address), highHalf(address)]),
    ...afterWrite(slow),
  ];
}

/** Misaligned accesses within a page that the TLB holds; the rest is the hart's. */
export function defineSlowAccess(module: ModuleBuilder, frame: AccessFrame): void {
  defineOne(module, SLOW_LOAD, frame);
  defineOne(module, SLOW_STORE, frame);
}

function defineOne(module: ModuleBuilder, signature: FunctionSignature, frame: AccessFrame): void {
  const isLoad = signature === SLOW_LOAD;
  const half = isLoad ? 0 : TLB_WRITE_OFFSET;
  const virtual = local('i64');
  const context = local('i32');
  const bytes = local('i32');
  const entry = local('i32');
  const host = local('i32');
  const within = i32.leU(
    i32.add(i32.and(i32.wrap(virtual), i32.const(0xfff)), bytes),
    i32.const(4096),
  );
  const hit = tlbHit(entry, virtual, { half, bytes: 1 });
  const valueAt = frame.mailbox('value');
  const move = (size: number, load: (address: I32) => I64): readonly Stmt[] => [
    isLoad ? i64.store(ZERO, load(host), valueAt) : storeBytes(size, host, i64.load(ZERO, valueAt)),
    ret(i32.const(STATUS_DONE)),
  ];
  const is = (size: number): I32 => i32.eq(bytes, i32.const(size));
  const target = isLoad ? IMPORTS.readSlow : IMPORTS.writeSlow;
  const params: readonly Local[] = [virtual, context, bytes];
  module.define(signature, params, [
    set(entry, tlbEntry(context, virtual)),
    when(i32.and(hit, within), [
      set(host, hostAddress(entry, virtual, half)),
      when(is(8), move(8, i64.load)),
      when(is(4), move(4, i64.load32U)),
      when(is(2), move(2, i64.load16U)),
    ]),
    ret(call('i32', target, [lowHalf(virtual), highHalf(virtual), bytes])),
  ]);
}
