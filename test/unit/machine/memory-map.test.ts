/**
 * Goal: no two parts of the address space overlap, and each is where QEMU's virt has it.
 * Method: the addresses as QEMU documents them, written once more by hand.
 */

import test from 'ava';
import { RAM_BASE } from '../../../lib/machine/config.js';
import * as map from '../../../lib/machine/memory-map.js';

test('regions ascend without overlap below RAM', (t) => {
  const slots = Array.from({ length: map.VIRTIO_SLOTS }, (_, slot) => map.virtioSlot(slot));
  let end = 0;
  for (const region of [map.MROM, map.SYSCON, map.RTC, map.CLINT, map.PLIC, map.UART, ...slots]) {
    t.true(region.base >= end, region.base.toString(16));
    end = region.base + region.sizeBytes;
  }
  t.true(end <= RAM_BASE);
});

test('virtio slots and interrupts are those of the virt board', (t) => {
  t.is(map.virtioSlot(0).base, 0x1000_1000);
  t.is(map.virtioSlot(7).base, 0x1000_8000);
  t.deepEqual([map.virtioIrq(0), map.virtioIrq(7)], [1, 8]);
  t.deepEqual([map.UART_IRQ, map.RTC_IRQ], [10, 11]);
});
