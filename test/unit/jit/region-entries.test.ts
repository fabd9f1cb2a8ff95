/**
 * Goal: a slot that names an entry holds again what it held once the entry is given back, and
 * numbers are given out only once at a time, up to their bound.
 */

import test from 'ava';
import { RegionEntries } from '../../../lib/jit/region-entries.js';
import { PAGE_BYTES } from '../../../lib/memory/layout.js';
import { JUMP, REGION_ENTRIES } from '../../../lib/riscv/derived.js';
import { OP_COMPILED } from '../../../lib/riscv/interpreter/slots.js';
import type { HartInternals } from '../../../lib/riscv/region-port.js';

const PAGE = 3;
const SLOTS = 64;
const ENTRIES = 8 * PAGE_BYTES;
const JUMPS = ENTRIES + REGION_ENTRIES * 32;

/** A hart of which only one page has slots, all decoded to different things. */
function createEntries(): { readonly entries: RegionEntries; readonly view: DataView } {
  const view = new DataView(new ArrayBuffer(JUMPS + 4096 * 32));
  const hart = {
    memory: { view, mailbox: 0 },
    code: { slotAt: (page: number, at: number) => (page === PAGE ? SLOTS + at * 8 : -1) },
    addresses: { entries: ENTRIES, jumpCache: JUMPS },
  } as unknown as HartInternals;
  for (let at = 0; at < 2048; at++) {
    view.setUint32(SLOTS + at * 8, ((at << 8) | 1) >>> 0, true);
    view.setUint32(SLOTS + at * 8 + 4, at * 77, true);
  }
  return { entries: new RegionEntries(hart), view };
}

const content = (pc: bigint) => ({ pc, selector: 2, functionIndex: 5, minimumBudget: 9 });

test('a slot names its entry, and holds again what it held when the entry is released', (t) => {
  const { entries, view } = createEntries();
  const before = view.buffer.slice(SLOTS, SLOTS + 2048 * 8);
  const place = entries.claim(PAGE, 40);
  if (place === null) return t.fail('no place');
  entries.write(place, content(0x8000_0050n));
  t.is(view.getUint8(place.slot), OP_COMPILED);
  t.is(entries.pcOf(place.number), 0x8000_0050n);
  t.is(entries.claim(PAGE, 40), null, 'another region is entered there');
  entries.release(place);
  t.deepEqual(view.buffer.slice(SLOTS, SLOTS + 2048 * 8), before);
  t.is(entries.used, 0);
  return t.truthy(entries.claim(PAGE, 40));
});

test('an entry in doubt is known neither by its epoch nor by the jump cache', (t) => {
  const { entries, view } = createEntries();
  view.setInt32(28, 17, true); // the epoch of the mailbox
  const place = entries.claim(PAGE, 0);
  if (place === null) return t.fail('no place');
  const pc = 0x1000n;
  entries.write(place, content(pc));
  const epochs = (): number => view.getInt32(ENTRIES + place.number * 32 + 16, true);
  const jump = JUMPS + 0x800 * 32;
  t.is(view.getBigUint64(jump + JUMP.pc, true), pc);
  t.is(epochs(), 0);
  entries.confirm(place.number);
  t.is(epochs(), 17);
  entries.doubt(place);
  t.is(epochs(), 0);
  return t.is(view.getInt32(jump + JUMP.function, true), 0);
});

test('a page without slots has no place, and numbers end at their bound', (t) => {
  const { entries } = createEntries();
  t.is(entries.claim(PAGE + 1, 0), null);
  const numbers = new Set<number>();
  for (let at = 0; at < 2048; at++) numbers.add(entries.claim(PAGE, at)?.number ?? -1);
  t.is(numbers.size, 2048);
  for (let count = 2048; count < REGION_ENTRIES; count++) entries.claim(PAGE, count % 2048);
  t.is(entries.used, REGION_ENTRIES);
  t.is(entries.claim(PAGE, 1), null);
});
