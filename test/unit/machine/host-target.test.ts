/**
 * Goal: a store to `tohost` by any hart ends the machine with the status it names.
 * Method: words written where the symbol lies.
 */

import test from 'ava';
import { planLayout } from '../../../lib/memory/layout.js';
import { HostTarget } from '../../../lib/machine/host-target.js';

const LAYOUT = planLayout({ ramBytes: 65_536, blocks: [], derived: [] });

test('an odd value below 2^48 is an exit, whose code stands above bit 0', (t) => {
  const buffer = new ArrayBuffer(LAYOUT.totalBytes);
  const target = new HostTarget(0x8000_1000, LAYOUT, buffer);
  const put = (value: bigint): void =>
    new DataView(buffer).setBigUint64(LAYOUT.ramOffset + 0x1000, value, true);
  t.is(target.exitCode(), null);
  put(1n);
  t.is(target.exitCode(), 0);
  put((7n << 1n) | 1n);
  t.is(target.exitCode(), 7);
  put(8n);
  t.is(target.exitCode(), null);
  put((1n << 48n) | 1n);
  t.is(target.exitCode(), null, 'a command for a device');
});
