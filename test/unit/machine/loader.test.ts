/**
 * Goal: images lie where QEMU's virt puts them, and what can't be loaded is refused with a reason.
 * Method: plans for small images; the reset vector is executed by a reader of its few opcodes.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { RAM_BASE, type MachineConfig, type MachineImages } from '../../../lib/machine/config.js';
import { buildDeviceTree } from '../../../lib/machine/device-tree.js';
import { planLoad, type LoadPlan } from '../../../lib/machine/loader.js';
import { cellsOf, readDeviceTree } from './device-tree-reader.js';
import { configOf, elfOf, linuxImageOf, MEBIBYTE } from './images.js';

const NONE: MachineImages = { bios: null, kernel: null, initrd: null };
const FIRMWARE = new Uint8Array(1000).fill(0x13);

function plan(images: Partial<MachineImages>, config: MachineConfig = configOf()): LoadPlan {
  return planLoad(config, { ...NONE, ...images }, buildDeviceTree);
}

function refusal(images: Partial<MachineImages>, config?: MachineConfig): string {
  try {
    plan(images, config);
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'BAD_IMAGE') return error.message;
    throw error;
  }
  return '';
}

function addressOf(made: LoadPlan, image: string): number {
  return made.segments.find((segment) => segment.image === image)?.address ?? 0;
}

test('firmware, kernel, initrd and device tree lie where the virt board puts them', (t) => {
  const made = plan(
    { bios: FIRMWARE, kernel: linuxImageOf(), initrd: new Uint8Array(5000) },
    configOf(256 * MEBIBYTE),
  );
  t.is(addressOf(made, 'bios'), 0x8000_0000);
  t.is(addressOf(made, 'kernel'), 0x8020_0000);
  t.is(addressOf(made, 'initrd'), 0x8820_0000);
  t.is(addressOf(made, 'device tree'), 0x8fe0_0000);
  const tree = made.segments.at(-1)?.bytes ?? new Uint8Array(0);
  const chosen = readDeviceTree(tree).get('/chosen');
  t.deepEqual(cellsOf(chosen?.get('linux,initrd-start')), [0, 0x8820_0000]);
  t.deepEqual(cellsOf(chosen?.get('linux,initrd-end')), [0, 0x8820_0000 + 5000]);
});

test('the device tree stays below 3 GiB when RAM does not', (t) => {
  const made = plan({ kernel: elfOf() }, configOf(3072 * MEBIBYTE));
  t.is(addressOf(made, 'device tree'), 0xbfe0_0000);
});

test('the reset vector loads hart, device tree and fw_dynamic info, and jumps', (t) => {
  const made = plan({ bios: FIRMWARE, kernel: linuxImageOf() });
  const view = new DataView(made.mrom.buffer);
  t.deepEqual(
    Array.from({ length: 6 }, (_, index) => view.getUint32(index * 4, true)),
    [0x297, 0x0282_8613, 0xf140_2573, 0x0202_b583, 0x0182_b283, 0x2_8067],
  );
  const data = Array.from({ length: 8 }, (_, n) => Number(view.getBigUint64(24 + n * 8, true)));
  t.deepEqual(data, [
    0x8000_0000,
    addressOf(made, 'device tree'),
    0x4942_534f,
    2,
    0x8020_0000,
    1,
    0,
    0,
  ]);
  t.is(made.entryPc, 0x1000);
  t.deepEqual(made.bootArguments, {
    hart: 0,
    deviceTree: addressOf(made, 'device tree'),
    firmwareInfo: 0x1028,
  });
});

test('without firmware the kernel starts at its entry in M mode', (t) => {
  const made = plan({ kernel: elfOf({ entry: 0x8000_0008n }) });
  t.is(new DataView(made.mrom.buffer).getBigUint64(24, true), 0x8000_0008n);
  t.deepEqual(made.symbols, { tohost: 0x8000_1000 });
});

test('firmware alone is a machine, and nothing at all is not', (t) => {
  const made = plan({ bios: elfOf() });
  t.deepEqual(made.symbols, { tohost: 0x8000_1000 });
  t.regex(refusal({}), /nothing to run/);
  t.regex(refusal({ initrd: FIRMWARE }), /nothing to run/);
});

test('firmware larger than 2 MiB moves the kernel to the next boundary', (t) => {
  const made = plan({ bios: new Uint8Array(2 * MEBIBYTE + 1), kernel: linuxImageOf() });
  t.is(addressOf(made, 'kernel'), 0x8040_0000);
});

test('symbols outside RAM are not offered', (t) => {
  const symbols = [
    ['tohost', 0x1000n],
    ['fromhost', 2n ** 63n],
  ] as const;
  t.deepEqual(plan({ kernel: elfOf({ symbols }) }).symbols, {});
});

test('the smallest machine has room for a program and its device tree', (t) => {
  const made = plan({ kernel: elfOf() }, configOf(2 * MEBIBYTE));
  const tree = addressOf(made, 'device tree');
  t.true(tree > RAM_BASE + MEBIBYTE && tree < RAM_BASE + 2 * MEBIBYTE);
});

test('an initrd goes as high as it fits, and no initrd goes over the kernel', (t) => {
  const config = configOf(64 * MEBIBYTE);
  const initrd = new Uint8Array(40 * MEBIBYTE);
  const made = plan({ bios: FIRMWARE, kernel: linuxImageOf(), initrd }, config);
  const at = addressOf(made, 'initrd');
  t.is(at % 4096, 0);
  t.true(at + initrd.length <= addressOf(made, 'device tree'));
  const large = new Uint8Array(62 * MEBIBYTE);
  t.regex(refusal({ bios: FIRMWARE, kernel: linuxImageOf(), initrd: large }, config), /initrd of/);
});

test('what needs memory outside RAM is refused with the range', (t) => {
  const one = new Uint8Array(8);
  for (const address of [0n, 0x7fff_fffcn, 0x83ff_fffcn, 2n ** 64n - 4n]) {
    const kernel = elfOf({ entry: address, segments: [[address, one, 8n]], symbols: [] });
    t.regex(refusal({ kernel }), /RAM is 0x80000000 to 0x84000000/, address.toString(16));
  }
  const wide = elfOf({ segments: [[0x8000_0000n, one, 2n ** 64n - 1n]] });
  t.regex(refusal({ kernel: wide }), /needs memory/);
  t.regex(refusal({ kernel: linuxImageOf({ memoryBytes: 2n ** 63n }) }), /needs memory/);
  t.regex(refusal({ kernel: linuxImageOf({ textOffset: 2n ** 63n }) }), /needs memory/);
  t.regex(refusal({ bios: new Uint8Array(65 * MEBIBYTE) }), /the bios needs memory/);
});

test('overlapping images and segments are refused by name', (t) => {
  t.regex(refusal({ bios: FIRMWARE, kernel: elfOf() }), /bios and kernel overlap/);
  const bytes = new Uint8Array(16);
  const twice = elfOf({
    segments: [
      [0x8000_0000n, bytes, 16n],
      [0x8000_0008n, bytes, 16n],
    ],
  });
  t.regex(refusal({ kernel: twice }), /kernel and kernel overlap/);
});

test('an entry outside the program is refused', (t) => {
  t.regex(refusal({ kernel: elfOf({ entry: 0x8000_0018n }) }), /entry 0x80000018 lies outside/);
});

test('files of the wrong kind are refused with advice', (t) => {
  const gzip = Uint8Array.of(0x1f, 0x8b, 8, 0);
  t.regex(refusal({ kernel: gzip }), /packed with gzip; unpack it first/);
  t.regex(refusal({ bios: gzip }), /bios is packed/);
  t.regex(refusal({ kernel: FIRMWARE }), /neither a RISC-V ELF file nor a RISC-V Linux Image/);
  t.regex(refusal({ bios: linuxImageOf() }), /give it as the kernel/);
  t.regex(refusal({ bios: new Uint8Array(3) }), /not one instruction/);
});

test('a command line that the guest could not read is refused', (t) => {
  const images = { kernel: elfOf() };
  t.regex(refusal(images, configOf(64 * MEBIBYTE, 'a\0b')), /printable ASCII/);
  t.regex(refusal(images, configOf(64 * MEBIBYTE, 'größe')), /printable ASCII/);
  t.regex(refusal(images, configOf(64 * MEBIBYTE, 'x'.repeat(4097))), /4097 characters/);
});

test('a plan never holds overlapping segments, and all lie in RAM (sizes of RAM and initrd)', (t) => {
  for (let mebibytes = 2; mebibytes <= 64; mebibytes += 2) {
    for (const initrd of [1, 4095, 4096, MEBIBYTE, 20 * MEBIBYTE]) {
      const config = configOf(mebibytes * MEBIBYTE);
      const images = { bios: FIRMWARE, kernel: linuxImageOf(), initrd: new Uint8Array(initrd) };
      if (refusal(images, config) !== '') continue;
      let end = RAM_BASE;
      for (const segment of plan(images, config).segments) {
        t.true(segment.address >= end);
        end = segment.address + segment.memoryBytes;
      }
      t.true(end <= RAM_BASE + config.memoryBytes);
    }
  }
});
