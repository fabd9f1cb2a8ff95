/**
 * Goal: every device stands where the map says, its wires end at the right bits of the hart, and
 * the empty virtio slots look empty.
 * Method: guest programs on the whole machine; the board's own reset.
 */

import test from 'ava';
import { boardSpecs } from '../../../lib/machine/board.js';
import * as map from '../../../lib/machine/memory-map.js';
import { assemble } from '../../support/assembler.js';
import { Guest, INTERPRETER, PROGRAM_CONFIG } from '../../support/program.js';

const guest = new Guest(INTERPRETER);

/** What a load of `bytes` at `address` gives, or null for an access fault. */
function load(address: number, bytes: 1 | 2 | 4 | 8): bigint | null {
  const name = { 1: 'lbu', 2: 'lhu', 4: 'lwu', 8: 'ld' }[bytes];
  guest.program(assemble(`${name} a1,0(a0)`), { a0: BigInt(address) }).run(1);
  return guest.get('traps') === 0n ? guest.get('a1') : null;
}

test('every device answers at its place, and nothing answers beside it', (t) => {
  const regions = [map.MROM, map.SYSCON, map.RTC, map.CLINT, map.PLIC, map.UART];
  for (const { base, sizeBytes } of regions) {
    t.not(load(base, 1), null, `0x${base.toString(16)}`);
    t.not(load(base + sizeBytes - 1, 1), null);
  }
  for (const address of [0, 0xff8, 0x10_2000, 0x1_0000_0000, 0x2000_0000, 0x7fff_fff8]) {
    t.is(load(address, 8), null, `0x${address.toString(16)}`);
  }
});

test('virtio slots show magic and version, and a device only where there is one', (t) => {
  for (let slot = 0; slot < map.VIRTIO_SLOTS; slot++) {
    const { base } = map.virtioSlot(slot);
    t.is(load(base, 4), 0x7472_6976n);
    t.is(load(base + 4, 4), 2n);
    const device = { [map.VIRTIO_CONSOLE_SLOT]: 3n, [map.VIRTIO_ENTROPY_SLOT]: 4n }[slot] ?? 0n;
    t.is(load(base + 8, 4), device, `slot ${slot}`);
  }
});

test('the CLINT drives the software and timer bits of the hart', (t) => {
  const program = assemble(`
    sw a1,0(a0)
    csrr a2,mip
    sw zero,0(a0)
    csrr a3,mip
    sd zero,0(a4)
    csrr a5,mip`);
  guest.program(program, { a0: 0x200_0000n, a1: 1n, a4: 0x200_4000n, timeBase: 1n }).run(6);
  t.deepEqual([guest.get('a2'), guest.get('a3'), guest.get('a5')], [8n, 0n, 0x80n]);
});

test('the UART reaches M and S mode through the PLIC', (t) => {
  // Priority 1, enabled for both contexts, receive interrupt on.
  const program = assemble(`
    li a0,0xc000000
    li a1,1
    sw a1,40(a0)
    li a0,0xc002000
    li a1,0x400
    sw a1,0(a0)
    sw a1,128(a0)
    li a0,0x10000000
    li a1,1
    sb a1,1(a0)
  wait: j wait`);
  guest.program(program).runTo(program.address('wait'));
  t.is(guest.get('mipLines'), 0n);
  guest.machine.apply({
    ...{ kind: 'console-input', hart: 0, step: guest.step, stream: 'uart' },
    ...{ client: 0n, sequence: 0n, bytes: Uint8Array.of(65) },
  });
  t.is(guest.get('mipLines'), 0xa00n);
});

test('the names of the blocks are unique for any number of harts', (t) => {
  const network = { mac: '52:54:00:12:34:56' };
  for (const harts of [1, 2, 8]) {
    const disks = [1, 2].map((count) => ({ sizeBytes: count * 512, sha256: '' }));
    const config = { ...PROGRAM_CONFIG, harts, network, disks };
    const names = boardSpecs(config).map(({ name }) => name);
    t.is(new Set(names).size, names.length);
  }
});

test('restored timers hold without an event', (t) => {
  const program = assemble('loop: j loop\n .align 4\n handler: j handler');
  const mtvec = program.address('handler');
  guest.program(program, { 'clint.mtimecmp': 5n, mie: 0x80n, mstatus: 8n, mtvec });
  guest.run(100);
  t.is(guest.get('mcause'), (1n << 63n) | 7n);
});
