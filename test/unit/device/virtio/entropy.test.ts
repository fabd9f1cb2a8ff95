/**
 * Goal: random bytes reach exactly the buffers that the guest posted.
 * Method: an honest driver, then one that posts what the device type forbids.
 */

import test from 'ava';
import {
  ENTROPY_BYTES_MAX,
  VirtioEntropy,
  VIRTIO_ENTROPY_SPEC,
} from '../../../../lib/device/virtio/entropy.js';
import { blockOf, TestLine, TestRam } from '../rig.js';
import { Driver, NEXT, VERSION_1, WRITE } from './driver.js';

const DATA = 0x8001_0000n;

function rig() {
  const ram = new TestRam(0x8000_0000n, 0x10_0000);
  const interrupt = new TestLine();
  const block = blockOf(VIRTIO_ENTROPY_SPEC);
  const device = new VirtioEntropy(block, { base: 0x1000_2000, dma: ram, interrupt });
  device.reset();
  const driver = new Driver(device, ram);
  const [queue] = driver.start(VERSION_1, 16, [0]);
  return { ram, interrupt, device, driver, queue };
}

test('a posted buffer is wanted, and supplied bytes fill it', (t) => {
  const { ram, interrupt, device, driver, queue } = rig();
  t.is(device.wanted(), 0);
  queue.describe(0, { address: DATA, bytes: 3, flags: WRITE | NEXT, next: 1 });
  queue.describe(1, { address: DATA + 64n, bytes: 5, flags: WRITE, next: 0 });
  queue.offer(0);
  t.is(device.wanted(), 0, 'before the kick');
  driver.kick(0);
  t.is(device.wanted(), 8);
  t.false(interrupt.level);
  device.supply(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  t.deepEqual(ram.read(DATA, 3), Uint8Array.of(1, 2, 3));
  t.deepEqual(ram.read(DATA + 64n, 5), Uint8Array.of(4, 5, 6, 7, 8));
  t.deepEqual(queue.usedEntry(0), { head: 0, bytes: 8 });
  t.true(interrupt.level);
  t.is(device.wanted(), 0);
});

test('a large request is wanted in portions, each request answered once', (t) => {
  const { device, driver, queue } = rig();
  for (let slot = 0; slot < 3; slot++) {
    queue.describe(slot, { address: DATA, bytes: 100_000, flags: WRITE, next: 0 });
    queue.offer(slot);
  }
  driver.kick(0);
  for (let n = 0; n < 3; n++) {
    t.is(device.wanted(), ENTROPY_BYTES_MAX);
    device.supply(new Uint8Array(ENTROPY_BYTES_MAX));
    t.is(queue.usedIndex, n + 1);
    t.is(queue.usedEntry(n).bytes, ENTROPY_BYTES_MAX);
  }
  t.is(device.wanted(), 0);
});

test('bytes that nobody waits for are dropped', (t) => {
  const { ram, device, interrupt } = rig();
  const before = ram.bytes.slice();
  device.supply(new Uint8Array(64).fill(9));
  t.deepEqual(ram.bytes, before);
  t.false(interrupt.level);
});

test('a buffer to be read, or one without space, needs a reset', (t) => {
  for (const [bytes, flags] of [
    [8, 0],
    [0, WRITE],
  ] as const) {
    const { device, driver, queue } = rig();
    queue.describe(0, { address: DATA, bytes, flags, next: 0 });
    queue.offer(0);
    driver.kick(0);
    t.true(driver.needsReset);
    t.is(device.wanted(), 0);
    device.supply(new Uint8Array(8));
    t.is(queue.usedIndex, 0);
  }
});

test('a reset takes the wish back (reset between kick and supply)', (t) => {
  const { ram, device, driver, queue } = rig();
  queue.describe(0, { address: DATA, bytes: 8, flags: WRITE, next: 0 });
  queue.offer(0);
  driver.kick(0);
  t.is(device.wanted(), 8);
  driver.status = 0;
  t.is(device.wanted(), 0);
  device.supply(new Uint8Array(8).fill(1));
  t.deepEqual(ram.read(DATA, 8), new Uint8Array(8));
});
