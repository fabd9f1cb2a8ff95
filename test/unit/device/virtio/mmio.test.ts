/**
 * Goal: the transport follows virtio 1.2 for an honest driver and stays shut for a hasty one.
 * Method: the console device behind the registers.
 */

import test from 'ava';
import { VirtioConsole, VIRTIO_CONSOLE_SPEC } from '../../../../lib/device/virtio/console.js';
import { VirtioEmptySlot } from '../../../../lib/device/virtio/mmio.js';
import { blockOf, random, TestLine, TestOutput, TestRam, wordsOf } from '../rig.js';
import { Driver, DriverQueue, RING_INDIRECT, VERSION_1 } from './driver.js';

function rig() {
  const ram = new TestRam(0x8000_0000n, 0x10_0000);
  const interrupt = new TestLine();
  const output = new TestOutput();
  const block = blockOf(VIRTIO_CONSOLE_SPEC);
  const device = new VirtioConsole(block, { base: 0x1000_1000, dma: ram, interrupt, output });
  device.reset();
  return { ram, interrupt, output, block, device, driver: new Driver(device, ram) };
}

test('identity registers say virtio-mmio version 2 and the device type', (t) => {
  const { driver } = rig();
  t.is(driver.read(0x00), 0x7472_6976);
  t.is(driver.read(0x04), 2);
  t.is(driver.read(0x08), 3);
  t.is(driver.read(0x34), 128);
  driver.write(0x30, 2);
  t.is(driver.read(0x34), 0, 'there is no third queue');
});

test('VERSION_1, indirect descriptors and event index are offered', (t) => {
  const { driver } = rig();
  t.is(driver.read(0x10), 0x3000_0000);
  driver.write(0x14, 1);
  t.is(driver.read(0x10), 1);
  driver.write(0x14, 2);
  t.is(driver.read(0x10), 0);
});

test('FEATURES_OK is refused without VERSION_1 and for a feature not offered', (t) => {
  const { driver } = rig();
  driver.negotiate(RING_INDIRECT);
  t.is(driver.status, 3);
  driver.negotiate(VERSION_1 | 1n);
  t.is(driver.status, 3);
  driver.negotiate(VERSION_1 | (1n << 63n));
  t.is(driver.status, 3);
  driver.status = 15;
  t.is(driver.status & 4, 0, 'nor is DRIVER_OK accepted then');
  driver.negotiate(VERSION_1 | RING_INDIRECT);
  t.is(driver.status, 11);
});

test('features can not change after FEATURES_OK', (t) => {
  const { driver, block } = rig();
  driver.negotiate(VERSION_1);
  driver.write(0x24, 0);
  driver.write(0x20, 0xffff_ffff);
  t.is(wordsOf(block)['virtio-console.driverFeatures'], VERSION_1);
});

test('size and addresses of a ready queue are locked (write after ready)', (t) => {
  const { driver, block } = rig();
  driver.start(VERSION_1, 16, [0, 1]);
  const before = wordsOf(block);
  driver.write(0x30, 1);
  const after = wordsOf(block);
  driver.write(0x38, 0xffff);
  for (const offset of [0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4]) driver.write(offset, 0xdead_beef);
  driver.write(0x44, 1);
  t.deepEqual(wordsOf(block), after);
  t.is(after['virtio-console.transmit.size'], before['virtio-console.transmit.size']);
});

test('a queue of a wrong size or outside RAM needs a reset instead of becoming ready', (t) => {
  const { driver, ram } = rig();
  for (const size of [0, 3, 129, 256, 65_535, 0x1_0000]) {
    driver.negotiate(VERSION_1);
    driver.place(new DriverQueue(ram, 0, size));
    t.true(driver.needsReset, `size ${size}`);
    t.is(driver.read(0x44), 0);
  }
  const queue = new DriverQueue(ram, 0, 16);
  const outside = [0n, ram.base - 16n, ram.end - 16n, ram.end, 2n ** 64n - 16n];
  for (const address of [...outside, ram.base + 1n]) {
    for (const ring of [0, 1, 2]) {
      driver.negotiate(VERSION_1);
      const place = [queue.desc, queue.avail, queue.used].map((at, n) =>
        n === ring ? address : at,
      );
      driver.place(queue, place[0], place[1], place[2]);
      t.true(driver.needsReset, `ring ${ring} at ${address.toString(16)}`);
      t.is(driver.read(0x44), 0);
    }
  }
});

test('a kick before DRIVER_OK, of no queue, or of one not ready does nothing', (t) => {
  const { driver, ram, output } = rig();
  driver.negotiate(VERSION_1);
  const queue = new DriverQueue(ram, 1, 16);
  driver.place(queue);
  queue.describe(0, { address: ram.base, bytes: 4, flags: 0, next: 0 });
  queue.offer(0);
  driver.kick(1);
  t.is(output.total, 0, 'not live yet');
  driver.status = 15;
  for (const index of [0, 2, 0xffff, 0x8000_0000, 0xffff_ffff]) driver.kick(index);
  t.is(output.total, 0);
  driver.kick(1);
  t.is(output.total, 4);
});

test('a broken rule asks for a reset by status and configuration interrupt, once', (t) => {
  const { driver, interrupt } = rig();
  const [, transmit] = driver.start(VERSION_1, 16, [0, 1]);
  transmit?.publish(1000);
  driver.kick(1);
  t.true(driver.needsReset);
  t.true(interrupt.level);
  t.is(driver.acknowledge(), 2);
  t.false(interrupt.level);
  driver.kick(1);
  t.is(driver.acknowledge(), 0);
});

test('a reset returns every word of transport and queues to power-on', (t) => {
  const { driver, block, interrupt } = rig();
  const fresh = wordsOf(block);
  const [, transmit] = driver.start(VERSION_1, 16, [0, 1]);
  transmit?.publish(1000);
  driver.kick(1);
  driver.status = 0;
  t.deepEqual(wordsOf(block), fresh);
  t.false(interrupt.level);
  t.is(driver.read(0x44), 0, 'as Linux checks when it takes a queue down');
});

test('a queue taken back and given again starts at index 0', (t) => {
  const { driver, ram, output } = rig();
  const queues = driver.start(VERSION_1, 16, [0, 1]);
  const transmit = queues[1] ?? queues[0];
  transmit.describe(0, { address: ram.base, bytes: 1, flags: 0, next: 0 });
  transmit.offer(0);
  driver.kick(1);
  driver.write(0x30, 1);
  driver.write(0x44, 0);
  t.is(driver.read(0x44), 0);
  transmit.publish(0);
  transmit.availIndex = 0;
  driver.place(transmit);
  transmit.offer(0);
  driver.kick(1);
  t.is(output.total, 2);
  t.is(transmit.usedIndex, 1);
});

test('an empty slot shows the magic number and device ID 0', (t) => {
  const slot = new VirtioEmptySlot(0x1000_8000);
  t.deepEqual(
    [0, 4, 8, 0x70].map((offset) => slot.read(offset, 4)),
    [0x7472_6976n, 2n, 0n, 0n],
  );
});

test('no sequence of register writes throws (50,000)', (t) => {
  const { device, driver, ram } = rig();
  const next = random(5);
  const registers = [0x14, 0x20, 0x24, 0x30, 0x38, 0x44, 0x50, 0x64, 0x70, 0x80, 0x90, 0xa0];
  for (let round = 0; round < 50_000; round++) {
    if (next(200) === 0) driver.start(VERSION_1 | RING_INDIRECT, 1 << next(8), [0, 1]);
    const values = [next(16), next(2 ** 32), Number(ram.base) + next(0x10_0000), 15];
    driver.write(registers[next(registers.length)] ?? 0, values[next(4)] ?? 0);
    if (next(4) === 0) device.receive(new Uint8Array(next(64)));
    if (device.hasWork()) device.resume();
    driver.read(next(0x200) & ~3);
    device.write(next(0x1000), [1, 2, 8][next(3)] ?? 1, BigInt(next(2 ** 32)));
  }
  t.pass();
});
