/**
 * LR, SC and AMO of generated code. One hart runs at a time on its memory (pages are owned), so
 * that an atomic is a plain load and store; what makes SC succeed is defined in
 * docs/DIVERGENCES.md: the hart's own reservation and an unchanged value.
 */

import { call, set, unlikely, when, type Expr, type Stmt } from '../../wasm/ir.js';
import { i32, i64 } from '../../wasm/ops.js';
import { TLB_WRITE_OFFSET } from '../derived.js';
import { hartOffset } from '../hart-state.js';
import {
  IMPORTS,
  ZERO,
  type AccessFrame,
  type RegisterFile,
  type SlowFrame,
} from './access-frame.js';
import { highHalf, hostAddress, lowHalf, tlbEntry, tlbHit } from './memory-effects.js';

type I64 = Expr<'i64'>;

interface AtomicAccess {
  readonly operation: 'lr' | 'sc' | 'amo';
  readonly bytes: number;
  readonly address: I64;
  /** New value of an amo (in terms of `mem`), source of an sc. */
  readonly value: I64;
}

export function atomicEffect(
  frame: AccessFrame,
  registers: RegisterFile,
  access: AtomicAccess,
): readonly Stmt[] {
  switch (access.operation) {
    case 'lr':
      return loadReserved(frame, registers, access);
    case 'sc':
      return storeConditional(frame, registers, access);
    case 'amo':
      return memoryOperation(frame, registers, access);
  }
}

const read = (frame: AccessFrame, bytes: number): I64 =>
  bytes === 4 ? i64.load32S(frame.host) : i64.load(frame.host);
const write = (frame: AccessFrame, bytes: number, value: I64): Stmt =>
  bytes === 4 ? i64.store32(frame.host, value) : i64.store(frame.host, value);

/** Sets `host`, and `status` to 1 if something was dropped for the store that follows. */
function findHost(frame: AccessFrame, access: AtomicAccess, writes: boolean): readonly Stmt[] {
  const half = writes ? TLB_WRITE_OFFSET : 0;
  const { virtual, entry, host, slow } = frame;
  const isHit = tlbHit(entry, virtual, { half, bytes: access.bytes });
  const found = [set(host, hostAddress(entry, virtual, half))];
  return [
    set(virtual, access.address),
    set(entry, tlbEntry(frame.dataContext, virtual)),
    ...clearStatus(frame),
    when(
      isHit,
      found,
      slow === null ? frame.leaveUndone() : ask(frame, slow, { access, writes }),
      'likely',
    ),
  ];
}

function ask(
  frame: AccessFrame,
  slow: SlowFrame,
  { access, writes }: { readonly access: AtomicAccess; readonly writes: boolean },
): readonly Stmt[] {
  const { virtual, host } = frame;
  const args = [
    lowHalf(virtual),
    highHalf(virtual),
    i32.const(access.bytes),
    i32.const(writes ? 1 : 0),
  ];
  return [
    ...slow.synchronise(),
    set(host, call('i32', IMPORTS.atomicAddress, args)),
    when(i32.eqz(host), slow.onTrap()),
    set(slow.status, i32.load(ZERO, frame.mailbox('special'))),
  ];
}

/** Where slow operations are left to another tier, there is nothing to note. */
const clearStatus = ({ slow }: AccessFrame): readonly Stmt[] =>
  slow === null ? [] : [set(slow.status, ZERO)];

/** Behind a store that made the hart drop something: running code may be part of it. */
const afterStore = ({ slow }: AccessFrame): readonly Stmt[] =>
  slow === null ? [] : [unlikely(slow.status, slow.onLeave())];

const reservation = (frame: AccessFrame): number => frame.address.hart + hartOffset('reservation');
const reservedValue = (frame: AccessFrame): number =>
  frame.address.hart + hartOffset('reservedValue');
/** The reservation names a place in RAM: 1 + byte offset. */
const placeOf = (frame: AccessFrame): I64 =>
  i64.extendI32U(i32.add(i32.sub(frame.host, i32.const(frame.address.ram)), i32.const(1)));

function loadReserved(
  frame: AccessFrame,
  registers: RegisterFile,
  access: AtomicAccess,
): readonly Stmt[] {
  return [
    ...findHost(frame, access, false),
    set(frame.value, read(frame, access.bytes)),
    i64.store(ZERO, placeOf(frame), reservation(frame)),
    i64.store(ZERO, frame.value, reservedValue(frame)),
    ...registers.assign('rd', frame.value),
  ];
}

function storeConditional(
  frame: AccessFrame,
  registers: RegisterFile,
  access: AtomicAccess,
): readonly Stmt[] {
  const holds = i32.and(
    i64.eq(i64.load(ZERO, reservation(frame)), placeOf(frame)),
    i64.eq(i64.load(ZERO, reservedValue(frame)), read(frame, access.bytes)),
  );
  return [
    set(frame.target, i64.const(1n)),
    ...clearStatus(frame),
    // Without a reservation memory is not looked at, but a misaligned address still faults.
    unlessNone(frame, access, [
      ...findHost(frame, access, true),
      when(
        holds,
        [write(frame, access.bytes, access.value), set(frame.target, i64.const(0n))],
        clearStatus(frame),
      ),
      i64.store(ZERO, i64.const(0n), reservation(frame)),
    ]),
    ...registers.assign('rd', frame.target),
    ...afterStore(frame),
  ];
}

function unlessNone(frame: AccessFrame, access: AtomicAccess, body: readonly Stmt[]): Stmt {
  const misaligned = i64.and(access.address, i64.const(BigInt(access.bytes - 1)));
  const reserved = i64.load(ZERO, reservation(frame));
  return when(i64.ne(i64.or(reserved, misaligned), i64.const(0n)), body);
}

function memoryOperation(
  frame: AccessFrame,
  registers: RegisterFile,
  access: AtomicAccess,
): readonly Stmt[] {
  return [
    ...findHost(frame, access, true),
    set(frame.value, read(frame, access.bytes)),
    write(frame, access.bytes, access.value),
    ...registers.assign('rd', frame.value),
    ...afterStore(frame),
  ];
}
