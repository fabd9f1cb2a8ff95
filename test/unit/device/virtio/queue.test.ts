/**
 * Goal: a hostile driver hurts only itself: every broken ring ends in "needs reset", in bounded
 * work, without an access outside RAM and without an exception.
 * Method: an honest request with one lie each, then rings of random bytes. The RAM under test
 * throws on an access outside of it, so a missing check fails the test.
 */

import test from 'ava';
import {
  OUTPUT_BYTES_A_KICK,
  VirtioConsole,
  VIRTIO_CONSOLE_SPEC,
} from '../../../../lib/device/virtio/console.js';
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
  type DriverQueue,
  type TestDescriptor,
} from './driver.js';

const DATA = 0x8002_0000n;
const ALL = VERSION_1 | RING_INDIRECT | RING_EVENT_INDEX;

function rig(features = ALL, size = 16) {
  const ram = new TestRam(0x8000_0000n, 0x10_0000);
  const interrupt = new TestLine();
  const output = new TestOutput();
  const block = blockOf(VIRTIO_CONSOLE_SPEC);
  const device = new VirtioConsole(block, { base: 0x1000_1000, dma: ram, interrupt, output });
  device.reset();
  const driver = new Driver(device, ram);
  const queues = driver.start(features, size, [0, 1]);
  const transmit = queues[1] ?? queues[0];
  return { ram, output, block, device, driver, receive: queues[0], transmit };
}

type Rig = ReturnType<typeof rig>;

/** Offers slot 0 with the descriptors given and kicks; the device must ask for a reset. */
function refused(descriptors: readonly TestDescriptor[], features = ALL): Rig {
  const made = rig(features);
  for (const [slot, descriptor] of descriptors.entries()) made.transmit.describe(slot, descriptor);
  made.transmit.offer(0);
  made.driver.kick(1);
  return made;
}

const good: TestDescriptor = { address: DATA, bytes: 8, flags: 0, next: 0 };

test('a descriptor loop ends (of one, and of the whole table)', (t) => {
  t.true(refused([{ ...good, flags: NEXT, next: 0 }]).driver.needsReset);
  const ring = Array.from({ length: 16 }, (_, n) => ({ ...good, flags: NEXT, next: (n + 1) % 16 }));
  const { driver, output } = refused(ring);
  t.true(driver.needsReset);
  t.is(output.total, 0, 'nothing of a broken chain leaves');
});

test('next at or above the queue size is refused', (t) => {
  for (const next of [16, 17, 0x7fff, 0xffff]) {
    t.true(refused([{ ...good, flags: NEXT, next }]).driver.needsReset, `next ${next}`);
  }
});

test('a head at or above the queue size is refused', (t) => {
  for (const head of [16, 0xffff]) {
    const { driver, transmit } = rig();
    transmit.offer(head);
    driver.kick(1);
    t.true(driver.needsReset, `head ${head}`);
  }
});

test('a jump of avail.idx beyond the queue size is refused', (t) => {
  for (const index of [17, 0x8000, 0xffff]) {
    const { driver, transmit } = rig();
    transmit.publish(index);
    driver.kick(1);
    t.true(driver.needsReset, `avail.idx ${index}`);
  }
});

test('a buffer outside RAM, across its end or past 2^64 is refused', (t) => {
  const { ram } = rig();
  for (const [address, bytes] of [
    [0n, 8],
    [0x1000_0000n, 8],
    [ram.base - 1n, 8],
    [ram.end - 7n, 8],
    [ram.end, 1],
    [2n ** 64n - 4n, 8],
    [2n ** 63n, 8],
    [DATA, 0xffff_ffff],
  ] as const) {
    const made = refused([{ ...good, address, bytes }]);
    t.true(made.driver.needsReset, `${address.toString(16)} + ${bytes}`);
  }
});

test('a writable buffer for output, or a readable one after it, is refused', (t) => {
  t.true(refused([{ ...good, flags: WRITE }]).driver.needsReset);
  const mixed = [
    { ...good, flags: WRITE | NEXT, next: 1 },
    { ...good, flags: 0, next: 0 },
  ];
  t.true(refused(mixed).driver.needsReset);
});

test('a readable or an empty buffer for input is refused', (t) => {
  for (const descriptor of [good, { ...good, flags: WRITE, bytes: 0 }]) {
    const { device, driver, receive } = rig();
    receive.describe(0, descriptor);
    receive.offer(0);
    driver.kick(0);
    device.receive(Uint8Array.of(1));
    t.true(driver.needsReset);
    t.is(device.inputSpace(), 4095, 'the byte still waits');
  }
});

test('an indirect table that was not negotiated is refused', (t) => {
  const table = { address: DATA, bytes: 16, flags: INDIRECT, next: 0 };
  t.true(refused([table], VERSION_1).driver.needsReset);
});

test('an indirect table that is empty, ragged, too long, outside RAM or not last is refused', (t) => {
  const { ram } = rig();
  const table = { address: DATA, bytes: 16, flags: INDIRECT, next: 0 };
  const lies: readonly TestDescriptor[] = [
    { ...table, bytes: 0 },
    { ...table, bytes: 15 },
    { ...table, bytes: 17 * 16 },
    { ...table, bytes: 0xffff_fff0 },
    { ...table, address: ram.end - 8n },
    { ...table, address: 2n ** 64n - 16n },
    { ...table, flags: INDIRECT | NEXT, next: 1 },
  ];
  for (const lie of lies) {
    t.true(refused([lie, good]).driver.needsReset, `${lie.address.toString(16)} + ${lie.bytes}`);
  }
});

test('an indirect table inside an indirect table is refused', (t) => {
  const { ram, driver, transmit, output } = rig();
  writeDescriptor(ram, DATA, { address: DATA, bytes: 16, flags: INDIRECT, next: 0 });
  transmit.describe(0, { address: DATA, bytes: 16, flags: INDIRECT, next: 0 });
  transmit.offer(0);
  driver.kick(1);
  t.true(driver.needsReset);
  t.is(output.total, 0);
});

test('next inside an indirect table stays inside it, and its loop ends', (t) => {
  for (const next of [0, 1, 2, 15, 0xffff]) {
    const { ram, driver, transmit } = rig();
    writeDescriptor(ram, DATA, { ...good, flags: NEXT, next });
    writeDescriptor(ram, DATA + 16n, { ...good, flags: NEXT, next: 0 });
    transmit.describe(0, { address: DATA, bytes: 32, flags: INDIRECT, next: 0 });
    transmit.offer(0);
    driver.kick(1);
    t.true(driver.needsReset, `next ${next}`);
  }
});

test('a chain of the whole queue is the longest one, its indirect part included', (t) => {
  const { ram, driver, transmit, output } = rig();
  for (let n = 0; n < 16; n++) {
    const flags = n < 15 ? NEXT : 0;
    writeDescriptor(ram, DATA + BigInt(n * 16), { address: DATA, bytes: 1, flags, next: n + 1 });
  }
  transmit.describe(1, { address: DATA, bytes: 256, flags: INDIRECT, next: 0 });
  transmit.offer(1);
  driver.kick(1);
  t.is(output.total, 16);
  transmit.describe(2, { ...good, flags: NEXT, next: 1 });
  transmit.offer(2);
  driver.kick(1);
  t.true(driver.needsReset);
});

test('a request of many gigabytes leaves in bounded portions, and a reset ends it', (t) => {
  const { ram, device, driver, transmit, output } = rig(ALL, 128);
  for (let n = 0; n < 128; n++) {
    const flags = n < 127 ? NEXT : 0;
    transmit.describe(n, { address: ram.base, bytes: 0x10_0000, flags, next: n + 1 });
  }
  transmit.offer(0);
  driver.kick(1);
  t.is(output.total, OUTPUT_BYTES_A_KICK);
  device.resume();
  t.is(output.total, 2 * OUTPUT_BYTES_A_KICK);
  driver.status = 0;
  t.false(device.hasWork());
  device.resume();
  t.is(output.total, 2 * OUTPUT_BYTES_A_KICK);
});

test('a queue full of empty requests is bounded work', (t) => {
  const { device, driver, transmit } = rig(ALL, 128);
  let resumes = 0;
  for (let n = 0; n < 128; n++) {
    transmit.describe(n, { ...good, bytes: 0, flags: n < 127 ? NEXT : 0, next: n + 1 });
  }
  for (let n = 0; n < 128; n++) transmit.offer(0);
  driver.kick(1);
  while (device.hasWork()) {
    device.resume();
    resumes++;
  }
  t.is(transmit.usedIndex, 128);
  t.true(resumes < 10, `${resumes} resumes`);
});

test('a request shortened while it is being sent ends without a wrong byte count', (t) => {
  const { device, driver, transmit, output } = rig();
  transmit.describe(0, { ...good, bytes: 100_000 });
  transmit.offer(0);
  driver.kick(1);
  transmit.describe(0, { ...good, bytes: 10 });
  device.resume();
  t.false(device.hasWork());
  t.is(output.total, OUTPUT_BYTES_A_KICK);
  t.is(transmit.usedIndex, 1);
  t.false(driver.needsReset);
});

test('a request that turns bad while it is being sent needs a reset', (t) => {
  const { device, driver, transmit } = rig();
  transmit.describe(0, { ...good, bytes: 100_000 });
  transmit.offer(0);
  driver.kick(1);
  transmit.describe(0, { ...good, address: 0n, bytes: 100_000 });
  device.resume();
  t.true(driver.needsReset);
  t.false(device.hasWork());
});

test('a descriptor is copied once, so a change under the walk is not seen', (t) => {
  const { ram, driver, transmit, output } = rig();
  transmit.describe(0, good);
  transmit.offer(0);
  let reads = 0;
  ram.onRead = (address) => {
    if (address !== transmit.desc) return;
    reads++;
    if (reads > 1) transmit.describe(0, { ...good, address: 0n });
  };
  driver.kick(1);
  t.is(reads, 1);
  t.is(output.total, 8);
});

test('rings inside each other and inside the buffer end in a defined state', (t) => {
  const { ram, device, driver, receive } = rig();
  driver.negotiate(ALL);
  driver.place(receive, ram.base, ram.base, ram.base);
  driver.status = 15;
  for (let word = 0; word < 64; word++) ram.writeU32(ram.base + BigInt(word * 4), 0x0002_0001);
  driver.kick(0);
  device.receive(new Uint8Array(100).fill(0xff));
  t.pass();
});

/** Overwrites the rings and some buffers with bytes that are plausible more often than chance. */
function scribble(ram: TestRam, queue: DriverQueue, next: (below: number) => number): void {
  for (let slot = 0; slot < queue.size; slot++) {
    const far = next(10) === 0;
    queue.describe(slot, {
      address: far ? BigInt(next(2 ** 32)) << BigInt(next(33)) : ram.base + BigInt(next(0x8_0000)),
      bytes: next(4) === 0 ? next(2 ** 32) : next(300) * (next(2) === 0 ? 16 : 1),
      flags: next(8),
      next: next(10) === 0 ? next(0x1_0000) : next(queue.size),
    });
    ram.writeU16(queue.avail + 4n + BigInt(slot * 2), next(20) === 0 ? next(99) : next(queue.size));
  }
  const ahead = next(20) === 0 ? next(0x1_0000) : next(queue.size + 1);
  queue.publish((queue.usedIndex + ahead) & 0xffff);
}

test('random rings never throw, and two replicas agree on every word (3,000 rounds)', (t) => {
  const run = (): readonly [Record<string, bigint>, Uint8Array, number, number] => {
    const next = random(1234);
    let made = rig();
    let resets = 0;
    for (let round = 0; round < 3_000; round++) {
      const { ram, device, driver, receive, transmit } = made;
      if (driver.needsReset) {
        resets++;
        driver.start(next(2) === 0 ? ALL : VERSION_1, 16, [0, 1]);
        ram.bytes.fill(0, 0x1000, 0x9000);
      }
      scribble(ram, receive, next);
      scribble(ram, transmit, next);
      driver.kick(0);
      driver.kick(1);
      device.receive(Uint8Array.from({ length: next(200) }, () => next(256)));
      for (let n = next(4); n > 0 && device.hasWork(); n--) device.resume();
      if (next(500) === 0) made = rig();
    }
    return [wordsOf(made.block), made.ram.bytes, made.output.total, resets];
  };
  const first = run();
  t.deepEqual(run(), first);
  t.true(first[3] > 100, 'broken rings are among them');
});
