/**
 * The interpreter: one generated WebAssembly function that executes decoded slots until its
 * budget of steps is spent, derived case by case from the instruction table.
 *
 *   reload: pc -> fetch TLB -> slot pointer
 *   next:   fast loop -> budget left? -> switch (op of the slot) -> case -> advance -> next
 *   far:    jump to another page      trap: a trap was taken      leave: back to the hart
 *
 * Invariant: a step is spent exactly when an instruction retires or a trap is taken, so that
 * `run(n)` stops after exactly n steps unless it returns EXIT_RECHECK earlier.
 */

import {
  block,
  br,
  branchTable,
  brIf,
  call,
  local,
  loop,
  ret,
  set,
  unlikely,
  when,
  type FunctionSignature,
  type Stmt,
} from '../../wasm/ir.js';
import { ModuleBuilder, type MemoryLimits } from '../../wasm/module.js';
import { i32, i64 } from '../../wasm/ops.js';
import { CROSS_SLOT_COUNT, SLOT_BYTES, SLOT_SPAN } from '../derived.js';
import { defineFloatLibrary } from '../float/library.js';
import { hartOffset } from '../hart-state.js';
import { MULHU } from '../table/index.js';
import { compiledCase, countHeat } from './compiled-entry.js';
import { rowCase } from './binding.js';
import { defineFastLoop, FAST_RELOAD, runFastLoop } from './fast-loop.js';
import { EXIT_BUDGET, EXIT_RECHECK, Frame } from './frame.js';
import { lookUpSlot } from './page-lookup.js';
import {
  IMPORTS,
  STATUS_REDIRECTED,
  ZERO,
  type FrameAddresses,
} from '../semantics/access-frame.js';
import { defineSlowAccess } from '../semantics/memory-effects.js';
import { OP_ROWS } from './slots.js';

const RUN: FunctionSignature = { name: 'run', params: ['i32'], result: 'i32' };
const HASH_PAGE: FunctionSignature = { name: 'hashPage', params: ['i32'], result: 'i64' };

export function buildInterpreter(
  addresses: FrameAddresses,
  memory: MemoryLimits,
  hotAfter: number,
): Uint8Array {
  const module = new ModuleBuilder(memory);
  for (const signature of Object.values(IMPORTS)) module.importFunction(signature);
  module.importTable(0);
  module.defineGlobal('fflags', 'i32');
  defineMulhu(module);
  defineFloatLibrary(module);
  const frame = new Frame(addresses, hotAfter);
  defineSlowAccess(module, frame);
  defineHashPage(module);
  defineFastLoop(module, addresses, hotAfter);
  module.define(RUN, [frame.budget], runBody(frame), { exported: true });
  module.exportAll();
  return module.finish();
}

function runBody(frame: Frame): readonly Stmt[] {
  const giveUp = (exit: number): readonly Stmt[] => [
    frame.storeBudget(),
    frame.saveFlags(),
    ret(i32.const(exit)),
  ];
  return [
    frame.loadFlags(),
    loop(frame.reload, [
      block(frame.far, [
        block(frame.trap, [
          block(frame.leave, [...enterPage(frame), ...executeSlots(frame, giveUp(EXIT_BUDGET))]),
          ...leaveBehind(frame, giveUp(EXIT_RECHECK)),
        ]),
        unlikely(i32.load(ZERO, frame.mailbox('restart')), giveUp(EXIT_RECHECK)),
        frame.spendStep(),
        br(frame.reload),
      ]),
      frame.storePc(frame.target),
      frame.spendStep(),
      br(frame.reload),
    ]),
  ];
}

/** Finds the slots of pc's page; a fetch that faults takes its trap and starts over. */
function enterPage(frame: Frame): readonly Stmt[] {
  const pc = local('i64');
  return [
    when(i32.eqz(frame.budget), [
      frame.storeBudget(),
      frame.saveFlags(),
      ret(i32.const(EXIT_BUDGET)),
    ]),
    set(frame.dataContext, i32.load(ZERO, frame.mailbox('dataContext'))),
    set(pc, i64.load(ZERO, frame.address.hart + hartOffset('pc'))),
    ...lookUpSlot(frame, pc, [
      frame.storeBudget(),
      brIf(frame.trap, call('i32', IMPORTS.fetchSlow, [])),
      br(frame.reload),
    ]),
    set(frame.span, i32.const(SLOT_SPAN)),
    ...countHeat(frame, frame.slot),
  ];
}

function executeSlots(frame: Frame, giveUp: readonly Stmt[]): readonly Stmt[] {
  const illegal = [
    ...frame.synchronise(),
    frame.slowCall(IMPORTS.illegal, [i32.load(frame.slot, 4)]),
    br(frame.trap),
  ];
  const cases: readonly (readonly Stmt[])[] = [
    decodeCase(frame),
    pageEndCase(frame),
    crossCase(frame),
    illegal,
    frame.advance(null),
    compiledCase(frame),
    ...OP_ROWS.map((instruction) => rowCase(frame, instruction, null)),
  ];
  return [
    loop(frame.next, [
      // The cross slots are no page that could be jumped in.
      when(frame.span, [
        ...runFastLoop(frame),
        unlikely(frame.status, [
          brIf(frame.reload, i32.eq(frame.status, i32.const(FAST_RELOAD))),
          ...frame.becameHot(frame.slot),
        ]),
      ]),
      when(i32.eqz(frame.budget), [frame.storePc(frame.pc), ...giveUp]),
      set(frame.low, i32.load(frame.slot)),
      branchTable(i32.and(frame.low, i32.const(0xff)), cases, illegal),
    ]),
  ];
}

function decodeCase(frame: Frame): readonly Stmt[] {
  return [
    ...frame.synchronise(),
    brIf(frame.trap, call('i32', IMPORTS.decodeSlot, [frame.slot])),
    br(frame.next),
  ];
}

/** No step is spent: the instruction at the next page is still to be fetched. */
function pageEndCase(frame: Frame): readonly Stmt[] {
  return [frame.storePc(frame.pc), br(frame.reload)];
}

/** The instruction is decoded into the cross slots, which pretend to lie at the page's end. */
function crossCase(frame: Frame): readonly Stmt[] {
  const lastHalfword = 2047 * SLOT_BYTES;
  return [
    ...frame.synchronise(),
    brIf(frame.trap, call('i32', IMPORTS.fetchCross, [])),
    set(frame.slot, i32.const(frame.address.cross)),
    set(frame.slotBase, i32.const(frame.address.cross - lastHalfword)),
    set(frame.span, ZERO),
    br(frame.next),
  ];
}

/** Behind a retired instruction: pc is the next one's unless the hart already set it. */
function leaveBehind(frame: Frame, giveUp: readonly Stmt[]): readonly Stmt[] {
  return [
    when(i32.ne(frame.status, i32.const(STATUS_REDIRECTED)), [frame.storePc(frame.nextPc(null))]),
    frame.spendStep(),
    ...giveUp,
  ];
}

/** High half of the unsigned 128-bit product, from four 32-bit products. */
function defineMulhu(module: ModuleBuilder): void {
  const a = local('i64');
  const b = local('i64');
  const middle = local('i64');
  const carry = local('i64');
  const low = (value: typeof a) => i64.and(value, i64.const(0xffffffffn));
  const high = (value: typeof a) => i64.shrU(value, i64.const(32));
  module.define(
    MULHU,
    [a, b],
    [
      set(middle, i64.add(i64.mul(high(a), low(b)), high2(i64.mul(low(a), low(b))))),
      set(carry, i64.add(low(middle), i64.mul(low(a), high(b)))),
      ret(i64.add(i64.add(i64.mul(high(a), high(b)), high(middle)), high(carry))),
    ],
  );
}

const high2 = (value: Parameters<typeof i64.shrU>[0]) => i64.shrU(value, i64.const(32));

/** A 64-bit hash of 4096 bytes: four lanes of multiply and rotate, mixed at the end. */
function defineHashPage(module: ModuleBuilder): void {
  const address = local('i32');
  const end = local('i32');
  const lanes = [local('i64'), local('i64'), local('i64'), local('i64')] as const;
  const again = { kind: 'label' as const };
  const prime = i64.const(0x9e3779b185ebca87n);
  const second = i64.const(0xc2b2ae3d27d4eb4fn);
  const step = lanes.map((lane, index) =>
    set(
      lane,
      i64.mul(
        i64.rotl(i64.add(lane, i64.mul(i64.load(address, index * 8), second)), i64.const(31)),
        prime,
      ),
    ),
  );
  const [first, ...rest] = lanes;
  const mix = rest.map((lane, index) =>
    set(first, i64.mul(i64.xor(i64.rotl(first, i64.const(27 - index * 4)), lane), prime)),
  );
  const fold = (bits: number) => set(first, i64.xor(first, i64.shrU(first, i64.const(bits))));
  module.define(
    HASH_PAGE,
    [address],
    [
      ...lanes.map((lane, index) => set(lane, i64.const(BigInt(index + 1)))),
      set(end, i32.add(address, i32.const(4096))),
      loop(again, [
        ...step,
        set(address, i32.add(address, i32.const(32))),
        brIf(again, i32.ltU(address, end)),
      ]),
      ...mix,
      fold(33),
      set(first, i64.mul(first, second)),
      fold(29),
      set(first, i64.mul(first, prime)),
      fold(32),
      ret(first),
    ],
    { exported: true },
  );
}

/** The cross slots hold one instruction and the page end behind it. */
export const CROSS_SLOTS_NEEDED = 3;
if (CROSS_SLOT_COUNT < CROSS_SLOTS_NEEDED) throw new Error('too few cross slots');
