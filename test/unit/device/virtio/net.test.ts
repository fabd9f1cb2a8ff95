/**
 * Goal: frames cross the rings whole or not at all, whatever the driver does.
 * Method: an honest driver over a RAM that checks every access; then one that lies.
 */

import test from 'ava';
import { hash64 } from '../../../../lib/base/hash.js';
import { VirtioNet, VIRTIO_NET_SPEC } from '../../../../lib/device/virtio/net.js';
import { blockOf, random, TestLine, TestOutput, TestRam, wordsOf } from '../rig.js';
import {
  Driver,
  INDIRECT,
  NEXT,
  RING_EVENT_INDEX,
  RING_INDIRECT,
  VERSION_1,
  WRITE,
  writeDescriptor,
} from './driver.js';

const DATA = 0x8001_0000n;
const MAC = '52:54:00:12:34:56';
const HEADER = 12;

function rig(features = VERSION_1, size = 16) {
  const ram = new TestRam(0x8000_0000n, 0x10_0000);
  const interrupt = new TestLine();
  const output = new TestOutput();
  const block = blockOf(VIRTIO_NET_SPEC);
  const ports = { base: 0x1000_4000, dma: ram, interrupt, output, mac: MAC };
  const device = new VirtioNet(block, ports);
  device.reset();
  const driver = new Driver(device, ram);
  const queues = driver.start(features, size, [0, 1]);
  const receive = queues[0];
  const transmit = queues[1] ?? queues[0];
  return { ram, interrupt, output, block, device, driver, receive, transmit };
}

function frameOf(bytes: number, seed = 7): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * seed + bytes) & 0xff);
}

/** The frames in what the card put out, by their lengths. */
function framesIn(output: TestOutput): Uint8Array[] {
  const all = Buffer.concat(output.chunks);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < all.length;) {
    const length = all.readUInt32BE(at);
    frames.push(new Uint8Array(all.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return frames;
}

test('the configuration space has address, link and MTU', (t) => {
  const { device } = rig();
  const bytes = Array.from({ length: 12 }, (_, offset) => Number(device.read(0x100 + offset, 1)));
  t.deepEqual(bytes, [0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0, 0, 0, 0xdc, 0x05]);
});

test('a frame in pieces leaves whole behind its length, without the header', (t) => {
  const { ram, output, driver, transmit, interrupt } = rig();
  const frame = frameOf(100);
  ram.write(DATA, new Uint8Array(HEADER));
  ram.write(DATA + 12n, frame.subarray(0, 60));
  ram.write(DATA + 500n, frame.subarray(60));
  transmit.describe(4, { address: DATA, bytes: HEADER + 60, flags: NEXT, next: 2 });
  transmit.describe(2, { address: DATA + 500n, bytes: 40, flags: 0, next: 0 });
  transmit.offer(4);
  driver.kick(1);
  t.deepEqual(framesIn(output), [frame]);
  t.deepEqual(transmit.usedEntry(0), { head: 4, bytes: 0 });
  t.true(interrupt.level);
});

test('a header in pieces and an indirect table make no difference', (t) => {
  const { ram, output, driver, transmit } = rig(VERSION_1 | RING_INDIRECT | RING_EVENT_INDEX);
  const frame = frameOf(64);
  const table = DATA + 0x1000n;
  ram.write(DATA + 100n, frame);
  writeDescriptor(ram, table, { address: DATA, bytes: 5, flags: NEXT, next: 1 });
  writeDescriptor(ram, table + 16n, { address: DATA, bytes: 7, flags: NEXT, next: 2 });
  writeDescriptor(ram, table + 32n, { address: DATA + 100n, bytes: 64, flags: 0, next: 0 });
  transmit.describe(0, { address: table, bytes: 48, flags: INDIRECT, next: 0 });
  transmit.offer(0);
  driver.kick(1);
  t.deepEqual(framesIn(output), [frame]);
});

test('what is too short or too long for a frame goes nowhere and comes back used', (t) => {
  const { output, driver, transmit } = rig();
  for (const [slot, bytes] of [0, 11, 12, 25, 1531, 0xffff].entries()) {
    transmit.describe(slot, { address: DATA, bytes, flags: 0, next: 0 });
    transmit.offer(slot);
  }
  driver.kick(1);
  t.is(output.total, 0);
  t.is(transmit.usedIndex, 6);
  t.false(driver.needsReset);
});

test('a frame enters behind a header that counts one buffer', (t) => {
  const { ram, device, receive, interrupt } = rig();
  t.is(device.room(), 'full');
  receive.describe(3, { address: DATA, bytes: 20, flags: WRITE | NEXT, next: 1 });
  receive.describe(1, { address: DATA + 0x100n, bytes: 1600, flags: WRITE, next: 0 });
  receive.offer(3);
  t.is(device.room(), 'room');
  const frame = frameOf(90);
  device.receive(frame);
  t.deepEqual(receive.usedEntry(0), { head: 3, bytes: 102 });
  t.deepEqual([...ram.read(DATA, HEADER)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  t.deepEqual(new Uint8Array([...ram.read(DATA + 12n, 8), ...ram.read(DATA + 0x100n, 82)]), frame);
  t.true(interrupt.level);
  t.is(device.room(), 'full');
});

test('a frame without a buffer that holds it is lost, and the buffer stays', (t) => {
  const { device, receive } = rig();
  device.receive(frameOf(60));
  t.is(receive.usedIndex, 0);
  receive.describe(0, { address: DATA, bytes: 71, flags: WRITE, next: 0 });
  receive.offer(0);
  device.receive(frameOf(60));
  t.is(receive.usedIndex, 0);
  device.receive(frameOf(59));
  t.is(receive.usedIndex, 1);
});

test('without a driver frames are lost', (t) => {
  const { device, driver, receive } = rig();
  receive.describe(0, { address: DATA, bytes: 1600, flags: WRITE, next: 0 });
  receive.offer(0);
  driver.status = 0;
  t.is(device.room(), 'off');
  device.receive(frameOf(60));
  t.is(receive.usedIndex, 0);
});

test('a readable buffer to receive into, or a writable one to send, needs a reset', (t) => {
  const one = rig();
  one.receive.describe(0, { address: DATA, bytes: 1600, flags: 0, next: 0 });
  one.receive.offer(0);
  one.device.receive(frameOf(60));
  t.true(one.driver.needsReset);
  const two = rig();
  two.transmit.describe(0, { address: DATA, bytes: 100, flags: WRITE, next: 0 });
  two.transmit.offer(0);
  two.driver.kick(1);
  t.true(two.driver.needsReset);
  t.is(two.output.total, 0);
});

test('random rings never throw, and two cards that see the same do the same', (t) => {
  for (let seed = 1; seed <= 100; seed++) {
    const rigs = [rig(VERSION_1 | RING_INDIRECT, 8), rig(VERSION_1 | RING_INDIRECT, 8)];
    const ends = rigs.map(({ ram, device, driver, receive, transmit, block, output }) => {
      const below = random(seed);
      for (let round = 0; round < 40; round++) {
        const queue = below(2) === 0 ? receive : transmit;
        const address = below(8) === 0 ? BigInt(below(2 ** 31)) * 3n : DATA + BigInt(below(4096));
        const bytes = below(6) === 0 ? below(0xffff_ffff) : below(1700);
        queue.describe(below(8), { address, bytes, flags: below(8), next: below(10) });
        if (below(3) > 0) queue.offer(below(9));
        else if (below(10) === 0) queue.publish(below(65_536));
        if (below(2) === 0) driver.kick(below(3));
        else device.receive(frameOf(14 + below(1505)));
        if (driver.needsReset) driver.start(VERSION_1 | RING_INDIRECT, 8, [0, 1]);
      }
      return { words: wordsOf(block), ram: hash64(ram.bytes), sent: output.text() };
    });
    t.deepEqual(ends[0], ends[1]);
  }
});
