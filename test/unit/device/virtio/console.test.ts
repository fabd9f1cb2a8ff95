/**
 * Goal: console bytes cross the rings complete and in order, in bounded portions.
 * Method: an honest driver over a RAM that checks every access.
 */

import test from 'ava';
import {
  CONSOLE_INPUT_BYTES,
  OUTPUT_BYTES_A_KICK,
  VirtioConsole,
  VIRTIO_CONSOLE_SPEC,
} from '../../../../lib/device/virtio/console.js';
import { blockOf, TestLine, TestOutput, TestRam, wordsOf } from '../rig.js';
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

function rig(features = VERSION_1, size = 16) {
  const ram = new TestRam(0x8000_0000n, 0x10_0000);
  const interrupt = new TestLine();
  const output = new TestOutput();
  const block = blockOf(VIRTIO_CONSOLE_SPEC);
  const device = new VirtioConsole(block, { base: 0x1000_1000, dma: ram, interrupt, output });
  device.reset();
  const driver = new Driver(device, ram);
  const queues = driver.start(features, size, [0, 1]);
  const receive = queues[0];
  const transmit = queues[1] ?? queues[0];
  return { ram, interrupt, output, block, device, driver, receive, transmit };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const textAt = (ram: TestRam, address: bigint, bytes: number): string =>
  new TextDecoder().decode(ram.read(address, bytes));

test('a chain of buffers leaves at the kick, in order, and comes back used', (t) => {
  const { ram, interrupt, output, driver, transmit } = rig();
  ram.write(DATA, bytesOf('hello, '));
  ram.write(DATA + 100n, bytesOf('world'));
  transmit.describe(4, { address: DATA, bytes: 7, flags: NEXT, next: 2 });
  transmit.describe(2, { address: DATA + 100n, bytes: 5, flags: 0, next: 0 });
  transmit.offer(4);
  driver.kick(1);
  t.is(output.text(), 'hello, world');
  t.is(transmit.usedIndex, 1);
  t.deepEqual(transmit.usedEntry(0), { head: 4, bytes: 0 });
  t.true(interrupt.level);
  t.is(driver.acknowledge(), 1);
  t.false(interrupt.level);
});

test('an indirect table is followed where it was negotiated', (t) => {
  const { ram, output, driver, transmit } = rig(VERSION_1 | RING_INDIRECT);
  ram.write(DATA, bytesOf('abcdef'));
  const table = DATA + 0x1000n;
  writeDescriptor(ram, table, { address: DATA + 3n, bytes: 3, flags: NEXT, next: 1 });
  writeDescriptor(ram, table + 16n, { address: DATA, bytes: 3, flags: 0, next: 0 });
  transmit.describe(0, { address: table, bytes: 32, flags: INDIRECT, next: 0 });
  transmit.offer(0);
  driver.kick(1);
  t.is(output.text(), 'defabc');
});

test('the rings wrap: 70,000 requests through 4 slots', (t) => {
  const { ram, output, driver, transmit } = rig(VERSION_1, 4);
  ram.write(DATA, bytesOf('x'));
  for (let n = 0; n < 70_000; n++) {
    transmit.describe(n % 4, { address: DATA, bytes: 1, flags: 0, next: 0 });
    transmit.offer(n % 4);
    driver.kick(1);
  }
  t.is(output.total, 70_000);
  t.is(transmit.usedIndex, 70_000 & 0xffff);
});

test('without event index the driver is interrupted unless it asked not to be', (t) => {
  const { interrupt, driver, transmit } = rig();
  transmit.availFlags = 1;
  transmit.describe(0, { address: DATA, bytes: 1, flags: 0, next: 0 });
  transmit.offer(0);
  driver.kick(1);
  t.is(transmit.usedIndex, 1);
  t.false(interrupt.level);
});

test('with event index the interrupt comes for the entry that the driver named', (t) => {
  const { interrupt, driver, transmit } = rig(VERSION_1 | RING_EVENT_INDEX);
  transmit.usedEvent = 2;
  transmit.availFlags = 1;
  for (let n = 0; n < 4; n++) {
    transmit.describe(n, { address: DATA, bytes: 1, flags: 0, next: 0 });
    transmit.offer(n);
    driver.kick(1);
    t.is(interrupt.level, n >= 2, `request ${n}`);
    t.is(transmit.availEvent, n + 1);
  }
});

test('output beyond the budget of a kick is work, continued by resume to the last byte', (t) => {
  const { ram, output, device, driver, transmit } = rig();
  const bytes = 50_000;
  for (let at = 0; at < bytes; at++) ram.bytes[0x1_0000 + at] = (at * 7) & 0xff;
  for (let slot = 0; slot < 4; slot++) {
    const flags = slot < 3 ? NEXT : 0;
    transmit.describe(slot, { address: DATA, bytes, flags, next: slot + 1 });
  }
  transmit.offer(0);
  driver.kick(1);
  let rounds = 0;
  t.is(output.total, OUTPUT_BYTES_A_KICK);
  t.is(transmit.usedIndex, 0);
  while (device.hasWork()) {
    const before = output.total;
    device.resume();
    t.true(output.total - before <= OUTPUT_BYTES_A_KICK);
    rounds++;
  }
  t.is(output.total, 4 * bytes);
  t.is(rounds, 3);
  t.is(transmit.usedIndex, 1);
  const joined = new Uint8Array(4 * bytes);
  let at = 0;
  for (const chunk of output.chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  t.deepEqual(joined.subarray(3 * bytes), ram.bytes.subarray(0x1_0000, 0x1_0000 + bytes));
});

test('input fills posted buffers at once: data, used ring and interrupt together', (t) => {
  const { ram, interrupt, device, driver, receive } = rig();
  receive.describe(0, { address: DATA, bytes: 3, flags: WRITE | NEXT, next: 1 });
  receive.describe(1, { address: DATA + 16n, bytes: 10, flags: WRITE, next: 0 });
  receive.offer(0);
  driver.kick(0);
  t.false(interrupt.level);
  device.receive(bytesOf('12345'));
  t.is(textAt(ram, DATA, 3), '123');
  t.is(textAt(ram, DATA + 16n, 2), '45');
  t.deepEqual(receive.usedEntry(0), { head: 0, bytes: 5 });
  t.is(receive.usedIndex, 1);
  t.true(interrupt.level);
  t.is(device.inputSpace(), CONSOLE_INPUT_BYTES);
});

test('input without a buffer waits in the words and is delivered when one is posted', (t) => {
  const { ram, device, driver, receive } = rig();
  device.receive(bytesOf('early '));
  device.receive(bytesOf('bird'));
  t.is(device.inputSpace(), CONSOLE_INPUT_BYTES - 10);
  for (let slot = 0; slot < 4; slot++) {
    const address = DATA + BigInt(slot * 16);
    receive.describe(slot, { address, bytes: 3, flags: WRITE, next: 0 });
    receive.offer(slot);
  }
  driver.kick(0);
  t.is(textAt(ram, DATA, 3) + textAt(ram, DATA + 16n, 3), 'early ');
  t.is(textAt(ram, DATA + 32n, 3) + textAt(ram, DATA + 48n, 1), 'bird');
  t.is(receive.usedIndex, 4);
  t.is(receive.usedEntry(3).bytes, 1);
});

test('waiting input survives a reset of the device by its driver', (t) => {
  const { ram, device, driver } = rig();
  device.receive(bytesOf('keep'));
  const [receive] = driver.start(VERSION_1, 16, [0, 1]);
  receive.publish(0);
  receive.describe(0, { address: DATA, bytes: 8, flags: WRITE, next: 0 });
  receive.offer(0);
  driver.kick(0);
  t.is(textAt(ram, DATA, 4), 'keep');
});

test('the ring takes 4096 bytes and drops what is over', (t) => {
  const { device } = rig();
  device.receive(new Uint8Array(CONSOLE_INPUT_BYTES - 1));
  t.is(device.inputSpace(), 1);
  device.receive(new Uint8Array(10));
  t.is(device.inputSpace(), 0);
});

test('the same requests give the same words and the same memory on two devices', (t) => {
  const run = (): readonly [Record<string, bigint>, Uint8Array] => {
    const { ram, block, device, driver, receive, transmit } = rig(VERSION_1 | RING_EVENT_INDEX);
    transmit.describe(0, { address: DATA, bytes: 100_000, flags: 0, next: 0 });
    transmit.offer(0);
    driver.kick(1);
    device.receive(bytesOf('input'));
    receive.describe(0, { address: DATA, bytes: 2, flags: WRITE, next: 0 });
    receive.offer(0);
    driver.kick(0);
    device.resume();
    return [wordsOf(block), ram.bytes];
  };
  t.deepEqual(run(), run());
});
