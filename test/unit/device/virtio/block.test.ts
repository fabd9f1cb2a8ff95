/**
 * Goal: requests do to the disk what the specification says, in bounded portions; a driver that
 * breaks a rule harms nothing but its own device, and never the host.
 * Method: an honest driver, then one that lies in each field, then random chains.
 */

import test from 'ava';
import {
  BLOCK_BYTES_A_KICK,
  MAX_ZEROED_SECTORS,
  VirtioBlock,
  virtioBlockSpec,
} from '../../../../lib/device/virtio/block.js';
import { memoryDisk, numbered } from '../../../support/memory-disk.js';
import { blockOf, random, TestLine, TestRam } from '../rig.js';
import { Driver, NEXT, VERSION_1, WRITE } from './driver.js';

const HEADER = 0x8001_0000n;
const STATUS = 0x8001_0100n;
const DATA = 0x8002_0000n;
const FLUSH = 1n << 9n;
const IN = 0;
const OUT = 1;
const SECTORS = 1024;
const PRISTINE = numbered(SECTORS);

function rig(features = VERSION_1 | FLUSH) {
  const ram = new TestRam(0x8000_0000n, 0x20_0000);
  const interrupt = new TestLine();
  const { disk, storage } = memoryDisk(SECTORS);
  const block = blockOf(virtioBlockSpec(0));
  const device = new VirtioBlock(block, { base: 0x1000_5000, dma: ram, interrupt, index: 0, disk });
  device.reset();
  const driver = new Driver(device, ram);
  const [queue] = driver.start(features, 16, [0]);

  /** Offers header, data and status as one chain of three descriptors. */
  function offer(type: number, sector: number | bigint, bytes: number, slot = 0): void {
    ram.writeU32(HEADER, type);
    ram.writeU32(HEADER + 4n, 0);
    ram.writeU64(HEADER + 8n, BigInt(sector));
    ram.write(STATUS, Uint8Array.of(0xff));
    const fills = type === IN || type === 8;
    queue.describe(slot, { address: HEADER, bytes: 16, flags: NEXT, next: slot + 1 });
    queue.describe(slot + 1, {
      address: DATA,
      bytes,
      flags: NEXT | (fills ? WRITE : 0),
      next: slot + 2,
    });
    queue.describe(slot + 2, { address: STATUS, bytes: 1, flags: WRITE, next: 0 });
    queue.offer(slot);
  }

  function request(type: number, sector: number | bigint, bytes: number): number {
    offer(type, sector, bytes);
    driver.kick(0);
    while (device.hasWork()) device.resume();
    return ram.read(STATUS, 1)[0] ?? 0xff;
  }

  return { ram, interrupt, disk, storage, device, driver, queue, offer, request };
}

function range(ram: TestRam, sector: number, count: number, flags = 0): void {
  ram.writeU64(DATA, BigInt(sector));
  ram.writeU32(DATA + 8n, count);
  ram.writeU32(DATA + 12n, flags);
}

test('a write is read back, and its completion comes with the kick', (t) => {
  const { ram, interrupt, queue, request, driver } = rig();
  ram.write(DATA, new Uint8Array(1024).fill(0x5a));
  t.is(request(OUT, 7, 1024), 0);
  t.true(interrupt.level);
  t.deepEqual(queue.usedEntry(0), { head: 0, bytes: 1 });
  driver.acknowledge();
  ram.write(DATA, new Uint8Array(4096));
  t.is(request(IN, 6, 2048), 0);
  t.deepEqual(queue.usedEntry(1), { head: 0, bytes: 2049 });
  const expected = numbered(SECTORS).slice(6 * 512, 10 * 512);
  expected.fill(0x5a, 512, 1536);
  t.deepEqual(ram.read(DATA, 2048), expected);
});

test('a large request is served in portions, and its interrupt comes with the last', (t) => {
  const { ram, interrupt, device, driver, queue, offer } = rig();
  const bytes = BLOCK_BYTES_A_KICK * 3;
  offer(IN, 0, bytes);
  driver.kick(0);
  let portions = 1;
  for (; device.hasWork() && queue.usedIndex === 0; portions++) {
    t.false(interrupt.level);
    device.resume();
  }
  t.true(portions >= 3);
  t.true(interrupt.level);
  t.is(queue.usedIndex, 1);
  t.true(Buffer.from(ram.read(DATA, bytes)).equals(PRISTINE.subarray(0, bytes)));
});

test('discard and write-zeroes make sectors zero, within their limit', (t) => {
  for (const type of [11, 13]) {
    const { ram, request } = rig();
    range(ram, 3, 20);
    t.is(request(type, 0, 16), 0);
    t.is(request(IN, 0, 512 * 32), 0);
    const expected = numbered(SECTORS).slice(0, 512 * 32);
    expected.fill(0, 3 * 512, 23 * 512);
    t.deepEqual(ram.read(DATA, 512 * 32), expected);
    range(ram, 0, MAX_ZEROED_SECTORS + 1);
    t.is(request(type, 0, 16), 1);
    range(ram, SECTORS - 1, 2);
    t.is(request(type, 0, 16), 1, 'beyond the end');
    range(ram, 0, 1, 2);
    t.is(request(type, 0, 16), 2, 'a reserved flag');
    t.is(request(type, 0, 32), 1, 'two ranges');
  }
});

test('a flush reaches the disk; without the feature every write is flushed', (t) => {
  const honest = rig();
  t.is(honest.request(4, 0, 0), 0);
  t.is(honest.storage.flushes, 1);
  t.is(honest.request(OUT, 0, 512), 0);
  t.is(honest.storage.flushes, 1);
  const plain = rig(VERSION_1);
  t.is(plain.request(OUT, 0, 512), 0);
  t.is(plain.storage.flushes, 1);
});

test('the disk says what it is (capacity, identity)', (t) => {
  const { ram, device, request } = rig();
  t.is(device.read(0x100, 8), BigInt(SECTORS));
  t.is(device.read(0x114, 4), 512n);
  t.is(request(8, 0, 20), 0);
  t.is(String.fromCharCode(...ram.read(DATA, 11)), 'lockstep-0\0');
});

test('a request that can’t be served is answered with its error, and changes nothing', (t) => {
  const cases: readonly (readonly [type: number, sector: bigint, bytes: number, status: number])[] =
    [
      [IN, BigInt(SECTORS), 512, 1],
      [IN, BigInt(SECTORS) - 1n, 1024, 1],
      [OUT, (1n << 64n) - 1n, 512, 1],
      [IN, 0n, 511, 1],
      [OUT, 0n, 100, 1],
      [99, 0n, 512, 2],
    ];
  for (const [type, sector, bytes, status] of cases) {
    const { device, driver, queue, storage, request } = rig();
    t.is(request(type, sector, bytes), status, `type ${type} sector ${sector} bytes ${bytes}`);
    t.false(driver.needsReset);
    t.false(device.hasWork());
    t.is(queue.usedIndex, 1);
    t.true(storage.map.every((state) => state === 0));
  }
});

test('a request without a place for its status, or a broken ring, needs a reset', (t) => {
  const { driver, queue, device, request } = rig();
  queue.describe(0, { address: HEADER, bytes: 16, flags: 0, next: 0 });
  queue.offer(0);
  driver.kick(0);
  t.true(driver.needsReset);
  t.false(device.hasWork());
  driver.start(VERSION_1, 16, [0]);
  queue.availIndex = 0;
  t.is(request(IN, 0, 512), 0, 'after the reset it works again');
});

test('a reset drops the request in work', (t) => {
  const { driver, device, offer, queue } = rig();
  offer(IN, 0, BLOCK_BYTES_A_KICK * 4);
  driver.kick(0);
  t.true(device.hasWork());
  driver.status = 0;
  t.false(device.hasWork());
  device.resume();
  t.is(queue.usedIndex, 0);
});

test('random chains never throw and end within bounds (60 seeds)', (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const below = random(seed);
    const { ram, driver, device, queue, storage } = rig();
    for (let slot = 0; slot < 16; slot++) {
      const at = BigInt(below(0x1f_0000));
      queue.describe(slot, {
        address: 0x8000_0000n + at,
        bytes: [0, 1, 15, 16, 17, 512, 4096, 65_536][below(8)] ?? 0,
        flags: below(4),
        next: below(17),
      });
      ram.writeU32(HEADER + BigInt(slot * 64), below(15));
    }
    for (let n = 0; n < 4; n++) {
      queue.describe(0, { address: HEADER, bytes: 16, flags: NEXT, next: 1 + below(15) });
      ram.writeU32(HEADER, [0, 1, 4, 8, 11, 13][below(6)] ?? 0);
      ram.writeU64(HEADER + 8n, BigInt(below(SECTORS + 2)));
      queue.offer(below(4) === 0 ? below(20) : 0);
      driver.kick(0);
      for (let turn = 0; device.hasWork() && turn < 10_000; turn++) device.resume();
      t.false(device.hasWork());
    }
    t.true(
      storage.base.every((byte, at) => byte === PRISTINE[at]),
      `seed ${seed}`,
    );
  }
});
