/**
 * Goal: every physical access has a defined result.
 * Method: two devices with a hole between them; each address around their borders.
 */

import test from 'ava';
import { Bus } from '../../../lib/device/bus.js';
import type { MmioDevice } from '../../../lib/device/port.js';

class Latch implements MmioDevice {
  readonly name = 'latch';
  readonly base: number;
  readonly sizeBytes = 0x10;
  last: readonly [offset: number, bytes: number, value: bigint] | null = null;

  constructor(base: number) {
    this.base = base;
  }
  read(offset: number, bytes: number): bigint {
    return BigInt(offset * 100 + bytes);
  }
  write(offset: number, bytes: number, value: bigint): void {
    this.last = [offset, bytes, value];
  }
}

test('an access reaches the device whose window holds it', (t) => {
  const low = new Latch(0x1000);
  const high = new Latch(0x1010);
  const bus = new Bus([high, low]);
  t.is(bus.read(0x1008, 4), 804n);
  t.is(bus.read(0x101e, 2), 1402n);
  t.is(bus.read(0x101f, 1), 1501n & 0xffn, 'no wider than asked');
  t.true(bus.write(0x1014, 2, 0x1_2345n));
  t.deepEqual(high.last, [4, 2, 0x2345n]);
  t.is(low.last, null);
});

test('unmapped, misaligned and crossing accesses are access faults', (t) => {
  const bus = new Bus([new Latch(0x1000), new Latch(0x2000)]);
  for (const [address, bytes] of [
    [0xfff, 1],
    [0x1010, 4],
    [0x1fff, 1],
    [0x2010, 8],
    [2 ** 40, 8],
    [0x1001, 2],
    [0x1002, 4],
    [0x1004, 8],
    [0x1000, 32],
  ] as const) {
    t.is(bus.read(address, bytes), null, `${address}/${bytes}`);
    t.false(bus.write(address, bytes, 0n), `${address}/${bytes}`);
  }
});

test('overlapping windows are refused when the machine is built', (t) => {
  t.throws(() => new Bus([new Latch(0x1000), new Latch(0x1008)]), { message: /overlaps/ });
});
