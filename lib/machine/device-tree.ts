/**
 * The flattened device tree that tells firmware and kernel what the machine has: a writer for the
 * binary format (Devicetree Specification v0.4, chapter 5, version 17) and the tree itself.
 *
 * The tree follows QEMU's virt node by node, without what this machine lacks (PCI, flash, fw-cfg,
 * PMU), and adds the extension list of the hart in both its old and its new form. It is a pure
 * function of the configuration, so both replicas build the same bytes.
 */

import { assert } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { RAM_BASE, TIMEBASE_HZ, type MachineConfig } from './config.js';
import * as map from './memory-map.js';

const MAGIC = 0xd00d_feed;
const VERSION = 17;
const LAST_COMPATIBLE_VERSION = 16;
const HEADER_BYTES = 40;
const RESERVATION_BYTES = 16;
const TOKEN_BEGIN_NODE = 1;
const TOKEN_END_NODE = 2;
const TOKEN_PROPERTY = 3;
const TOKEN_END = 9;

/** ASCII text; the tree's names and the command line are checked before they come here. */
function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    assert(code < 0x80, `device tree text has a character of code ${code}`);
    bytes[index] = code;
  }
  return bytes;
}

function bigEndian(values: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(values.length * 4));
  for (const [index, value] of values.entries()) view.setUint32(index * 4, value);
  return new Uint8Array(view.buffer);
}

/** The two 32-bit cells of an address or a size. */
function cells64(value: number): readonly number[] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}

export class DeviceTreeWriter {
  private readonly structure = new ByteWriter();
  private readonly strings = new ByteWriter();
  private readonly stringOffsets = new Map<string, number>();
  private depth = 0;

  /** Writes a node with what `body` puts into it. */
  node(name: string, body: () => void): void {
    this.depth++;
    this.word(TOKEN_BEGIN_NODE);
    this.padded(ascii(`${name}\0`));
    body();
    this.word(TOKEN_END_NODE);
    this.depth--;
  }

  property(name: string, value: Uint8Array): void {
    assert(this.depth > 0, `property ${name} outside a node`);
    this.word(TOKEN_PROPERTY);
    this.word(value.length);
    this.word(this.stringOffset(name));
    this.padded(value);
  }

  /** A property that is there or not. */
  flag(name: string): void {
    this.property(name, new Uint8Array(0));
  }

  cells(name: string, ...values: readonly number[]): void {
    this.property(name, bigEndian(values));
  }

  /** One string, or a list of them, each ended by a zero byte. */
  text(name: string, ...values: readonly string[]): void {
    this.property(name, ascii(values.map((value) => `${value}\0`).join('')));
  }

  /** The whole blob: header, empty reservation map, structure, strings. */
  finish(bootHart: number): Uint8Array {
    assert(this.depth === 0, 'a node is still open');
    this.word(TOKEN_END);
    const structure = this.structure.finish();
    const strings = this.strings.finish();
    const structureAt = HEADER_BYTES + RESERVATION_BYTES;
    const stringsAt = structureAt + structure.length;
    const total = stringsAt + strings.length;
    const header = bigEndian([
      MAGIC,
      total,
      structureAt,
      stringsAt,
      HEADER_BYTES,
      VERSION,
      LAST_COMPATIBLE_VERSION,
      bootHart,
      strings.length,
      structure.length,
    ]);
    const blob = new Uint8Array(total);
    blob.set(header);
    blob.set(structure, structureAt);
    blob.set(strings, stringsAt);
    return blob;
  }

  private word(value: number): void {
    this.structure.raw(bigEndian([value]));
  }

  private padded(bytes: Uint8Array): void {
    this.structure.raw(bytes);
    this.structure.raw(new Uint8Array((4 - (bytes.length % 4)) % 4));
  }

  private stringOffset(name: string): number {
    const known = this.stringOffsets.get(name);
    if (known !== undefined) return known;
    const offset = this.strings.length;
    this.strings.raw(ascii(`${name}\0`));
    this.stringOffsets.set(name, offset);
    return offset;
  }
}

/** Where the loader put the initial RAM disk; `end` is the first address after it. */
export interface InitrdPlace {
  readonly start: number;
  readonly end: number;
}

/** Extensions of every hart, in the order of the ISA string. */
const SINGLE_LETTER = ['i', 'm', 'a', 'f', 'd', 'c'] as const;
const MULTI_LETTER = ['zicboz', 'zicntr', 'zicsr', 'zifencei', 'zihpm', 'sstc', 'svade'] as const;
const ISA_STRING = `rv64${SINGLE_LETTER.join('')}_${MULTI_LETTER.join('_')}`;
const CACHE_BLOCK_BYTES = 64;

/** Interrupts of a hart as its own controller numbers them (exception codes of xcause). */
const HART_SOFTWARE = 3;
const HART_TIMER = 7;
const HART_EXTERNAL_S = 9;
const HART_EXTERNAL_M = 11;

interface Phandles {
  readonly harts: readonly { readonly cpu: number; readonly controller: number }[];
  readonly plic: number;
  readonly syscon: number;
}

function numberPhandles(harts: number): Phandles {
  return {
    harts: Array.from({ length: harts }, (_, hart) => ({
      cpu: 1 + hart * 2,
      controller: 2 + hart * 2,
    })),
    plic: 1 + harts * 2,
    syscon: 2 + harts * 2,
  };
}

/** The machine's tree. `config.append` is ASCII without control characters (the loader checks). */
export function buildDeviceTree(config: MachineConfig, initrd: InitrdPlace | null): Uint8Array {
  const tree = new DeviceTreeWriter();
  const phandles = numberPhandles(config.harts);
  tree.node('', () => {
    tree.cells('#address-cells', 2);
    tree.cells('#size-cells', 2);
    tree.text('compatible', 'riscv-virtio');
    tree.text('model', 'riscv-virtio,lockstep');
    writeChosen(tree, config, initrd);
    writeStops(tree, phandles);
    tree.node(`memory@${RAM_BASE.toString(16)}`, () => {
      tree.text('device_type', 'memory');
      tree.cells('reg', ...cells64(RAM_BASE), ...cells64(config.memoryBytes));
    });
    writeHarts(tree, phandles);
    tree.node('soc', () => {
      tree.cells('#address-cells', 2);
      tree.cells('#size-cells', 2);
      tree.text('compatible', 'simple-bus');
      tree.flag('ranges');
      writeBoardDevices(tree, phandles);
      writeInterruptControllers(tree, phandles);
    });
  });
  return tree.finish(0);
}

function writeChosen(
  tree: DeviceTreeWriter,
  config: MachineConfig,
  initrd: InitrdPlace | null,
): void {
  tree.node('chosen', () => {
    if (config.append !== '') tree.text('bootargs', config.append);
    if (initrd !== null) {
      tree.cells('linux,initrd-start', ...cells64(initrd.start));
      tree.cells('linux,initrd-end', ...cells64(initrd.end));
    }
    if (config.rngSeed.length > 0) tree.property('rng-seed', config.rngSeed);
    tree.text('stdout-path', `/soc/serial@${map.UART.base.toString(16)}`);
  });
}

/** How Linux switches the machine off and restarts it: values for the syscon register. */
function writeStops(tree: DeviceTreeWriter, phandles: Phandles): void {
  for (const [name, value] of [
    ['poweroff', 0x5555],
    ['reboot', 0x7777],
  ] as const) {
    tree.node(name, () => {
      tree.cells('value', value);
      tree.cells('offset', 0);
      tree.cells('regmap', phandles.syscon);
      tree.text('compatible', `syscon-${name}`);
    });
  }
}

function writeHarts(tree: DeviceTreeWriter, phandles: Phandles): void {
  tree.node('cpus', () => {
    tree.cells('#address-cells', 1);
    tree.cells('#size-cells', 0);
    tree.cells('timebase-frequency', TIMEBASE_HZ);
    for (const [hart, { cpu, controller }] of phandles.harts.entries()) {
      tree.node(`cpu@${hart.toString(16)}`, () => {
        tree.cells('phandle', cpu);
        tree.text('device_type', 'cpu');
        tree.cells('reg', hart);
        tree.text('status', 'okay');
        tree.text('compatible', 'riscv');
        tree.text('riscv,isa', ISA_STRING);
        tree.text('riscv,isa-base', 'rv64i');
        tree.text('riscv,isa-extensions', ...SINGLE_LETTER, ...MULTI_LETTER);
        tree.cells('riscv,cboz-block-size', CACHE_BLOCK_BYTES);
        tree.text('mmu-type', 'riscv,sv48');
        tree.node('interrupt-controller', () => {
          tree.cells('#address-cells', 0);
          tree.cells('#interrupt-cells', 1);
          tree.flag('interrupt-controller');
          tree.text('compatible', 'riscv,cpu-intc');
          tree.cells('phandle', controller);
        });
      });
    }
    tree.node('cpu-map', () => {
      tree.node('cluster0', () => {
        for (const [hart, { cpu }] of phandles.harts.entries()) {
          tree.node(`core${hart}`, () => tree.cells('cpu', cpu));
        }
      });
    });
  });
}

interface SocDevice {
  readonly name: string;
  readonly region: map.Region;
  readonly compatible: readonly string[];
  readonly irq: number | null;
}

/** The part that every device of the board has. */
function writeDevice(
  tree: DeviceTreeWriter,
  device: SocDevice,
  phandles: Phandles,
  more?: () => void,
): void {
  tree.node(`${device.name}@${device.region.base.toString(16)}`, () => {
    if (device.irq !== null) {
      tree.cells('interrupts', device.irq);
      tree.cells('interrupt-parent', phandles.plic);
    }
    tree.cells('reg', ...cells64(device.region.base), ...cells64(device.region.sizeBytes));
    tree.text('compatible', ...device.compatible);
    more?.();
  });
}

function writeBoardDevices(tree: DeviceTreeWriter, phandles: Phandles): void {
  const rtc = { name: 'rtc', region: map.RTC, compatible: ['google,goldfish-rtc'] };
  writeDevice(tree, { ...rtc, irq: map.RTC_IRQ }, phandles);
  const uart = { name: 'serial', region: map.UART, compatible: ['ns16550a'] };
  writeDevice(tree, { ...uart, irq: map.UART_IRQ }, phandles, () => {
    tree.cells('clock-frequency', map.UART_CLOCK_HZ);
  });
  const finisher = ['sifive,test1', 'sifive,test0', 'syscon'];
  const syscon = { name: 'test', region: map.SYSCON, compatible: finisher };
  writeDevice(tree, { ...syscon, irq: null }, phandles, () => {
    tree.cells('phandle', phandles.syscon);
  });
  for (let slot = 0; slot < map.VIRTIO_SLOTS; slot++) {
    const region = map.virtioSlot(slot);
    const virtio = { name: 'virtio_mmio', region, compatible: ['virtio,mmio'] };
    writeDevice(tree, { ...virtio, irq: map.virtioIrq(slot) }, phandles);
  }
}

function writeInterruptControllers(tree: DeviceTreeWriter, phandles: Phandles): void {
  const toEveryHart = (...interrupts: readonly number[]): readonly number[] =>
    phandles.harts.flatMap(({ controller }) => interrupts.flatMap((code) => [controller, code]));
  const plic = ['sifive,plic-1.0.0', 'riscv,plic0'];
  writeDevice(
    tree,
    { name: 'plic', region: map.PLIC, compatible: plic, irq: null },
    phandles,
    () => {
      tree.cells('phandle', phandles.plic);
      tree.cells('riscv,ndev', map.PLIC_SOURCE_LAST);
      tree.cells('interrupts-extended', ...toEveryHart(HART_EXTERNAL_M, HART_EXTERNAL_S));
      tree.flag('interrupt-controller');
      tree.cells('#address-cells', 0);
      tree.cells('#interrupt-cells', 1);
    },
  );
  const clint = ['sifive,clint0', 'riscv,clint0'];
  writeDevice(
    tree,
    { name: 'clint', region: map.CLINT, compatible: clint, irq: null },
    phandles,
    () => {
      tree.cells('interrupts-extended', ...toEveryHart(HART_SOFTWARE, HART_TIMER));
    },
  );
}
