/**
 * Decides where firmware, kernel, initrd and device tree go, and how the harts get there: the boot
 * protocol of QEMU's virt. A plan is plain data; the machine copies it into memory at power-on and
 * again after a reset.
 *
 *   0x00001000  reset vector: a0 = hart, a1 = device tree, a2 = fw_dynamic info, jump
 *   0x80000000  firmware, or a bare-metal ELF where it is linked
 *   0x80200000  kernel (the next 2 MiB boundary after the firmware)
 *   + half of RAM, at most 512 MiB: initrd, or as high as it fits
 *   below the end of RAM and below 3 GiB, on a 2 MiB boundary: device tree
 *
 * Every image is untrusted. Whatever can't be loaded exactly is a `BAD_IMAGE` that says which image
 * and why; nothing is loaded in part.
 */

import { LockstepError } from '../base/error.js';
import { RAM_BASE, type MachineConfig, type MachineImages } from './config.js';
import type { InitrdPlace } from './device-tree.js';
import { isElf, KNOWN_SYMBOLS, parseElf, type ElfFile, type KnownSymbol } from './elf.js';
import { compression, isLinuxImage, parseLinuxImage } from './linux-image.js';
import { KERNEL_OFFSET, MROM } from './memory-map.js';

const MEBIBYTE = 2 ** 20;
const KERNEL_ALIGN = 2 * MEBIBYTE;
const PAGE_BYTES = 4096;
const DEVICE_TREE_ALIGNS = [2 * MEBIBYTE, PAGE_BYTES, 8] as const;
/** Room after the tree for what firmware adds to it in place (reserved memory, disabled harts). */
const DEVICE_TREE_SLACK_BYTES = 16_384;
/** Firmware may be unable to reach a device tree above this. */
const DEVICE_TREE_LIMIT = 3072 * MEBIBYTE;
const INITRD_DISTANCE_MAX = 512 * MEBIBYTE;
/** Longest kernel command line; Linux cuts at 1024 on riscv64, firmware copies more. */
const COMMAND_LINE_BYTES_MAX = 4096;
/** `tohost` and `fromhost` name a word; a signature's symbols name borders. */
const HTIF_WORD_BYTES = 8n;

export interface LoadSegment {
  /** For messages: "bios", "kernel", "initrd" or "device tree". */
  readonly image: string;
  readonly address: number;
  readonly bytes: Uint8Array;
  /** From `address` on; zero after `bytes`. */
  readonly memoryBytes: number;
}

export interface BootArguments {
  /** a0: the hart that boots (every hart gets its own number). */
  readonly hart: number;
  /** a1: physical address of the device tree. */
  readonly deviceTree: number;
  /** a2: physical address of `struct fw_dynamic_info`. */
  readonly firmwareInfo: number;
}

export interface LoadPlan {
  /** Parts of RAM, ascending, none overlapping; RAM outside them is zero. */
  readonly segments: readonly LoadSegment[];
  /** Contents of the read-only region `MROM`, all of it. */
  readonly mrom: Uint8Array;
  /** Where every hart starts, in M mode. */
  readonly entryPc: number;
  /** Where the reset vector jumps: firmware or bare-metal program. */
  readonly programEntry: number;
  /** What the reset vector loads into registers. */
  readonly bootArguments: BootArguments;
  /** Known symbols of the program that lie in RAM. */
  readonly symbols: Readonly<Partial<Record<KnownSymbol, number>>>;
}

/** Builds the device tree once the place of the initrd is known. */
export type DeviceTreeBuilder = (config: MachineConfig, initrd: InitrdPlace | null) => Uint8Array;

/** Firmware or kernel in place. */
interface Placed {
  readonly segments: readonly LoadSegment[];
  readonly entry: number;
  /** First address after it. */
  readonly end: number;
  readonly elf: ElfFile | null;
}

function bad(message: string): LockstepError {
  return new LockstepError('BAD_IMAGE', message);
}

const alignUp = (value: number, to: number): number => Math.ceil(value / to) * to;
const alignDown = (value: number, to: number): number => Math.floor(value / to) * to;
const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** Throws `LockstepError` `BAD_IMAGE` for whatever can't be loaded as it is. */
export function planLoad(
  config: MachineConfig,
  images: MachineImages,
  buildTree: DeviceTreeBuilder,
): LoadPlan {
  checkCommandLine(config.append);
  const bios = images.bios === null ? null : placeFirmware(config, images.bios);
  const kernel = images.kernel === null ? null : placeKernel(config, images.kernel, bios);
  const program = bios ?? kernel;
  if (program === null) throw bad('neither firmware nor kernel is given: nothing to run');
  const segments = [...(bios?.segments ?? []), ...(kernel?.segments ?? [])];
  let place: InitrdPlace | null = null;
  if (images.initrd !== null && images.initrd.length > 0) {
    // The size of the tree does not depend on where the initrd lies.
    const tree = buildTree(config, { start: 0, end: 0 });
    const treeAt = placeDeviceTree(config, tree.length + DEVICE_TREE_SLACK_BYTES, segments);
    const initrd = placeInitrd(config, images.initrd, kernel ?? program, treeAt);
    segments.push(initrd);
    place = { start: initrd.address, end: initrd.address + initrd.bytes.length };
  }
  const tree = buildTree(config, place);
  const memoryBytes = tree.length + DEVICE_TREE_SLACK_BYTES;
  const deviceTree = placeDeviceTree(config, memoryBytes, segments);
  segments.push({ image: 'device tree', address: deviceTree, bytes: tree, memoryBytes });
  segments.sort((a, b) => a.address - b.address);
  checkOverlaps(segments);
  return {
    segments,
    ...resetVector(program.entry, deviceTree, kernel?.entry ?? 0),
    entryPc: MROM.base,
    programEntry: program.entry,
    symbols: symbolsInRam(config, kernel?.elf ?? (kernel === null ? program.elf : null)),
  };
}

function checkCommandLine(append: string): void {
  if (append.length > COMMAND_LINE_BYTES_MAX) {
    throw bad(
      `the command line has ${append.length} characters, at most ${COMMAND_LINE_BYTES_MAX}`,
    );
  }
  if (!/^[\x20-\x7e\t]*$/.test(append)) {
    throw bad('the command line has characters outside printable ASCII');
  }
}

function checkNotCompressed(bytes: Uint8Array, what: string): void {
  const packed = compression(bytes);
  if (packed !== null) throw bad(`the ${what} is packed with ${packed}; unpack it first`);
}

function placeFirmware(config: MachineConfig, bytes: Uint8Array): Placed {
  checkNotCompressed(bytes, 'bios');
  if (isElf(bytes)) return placeElf(config, bytes, 'bios');
  if (isLinuxImage(bytes)) throw bad('the bios is a Linux Image: give it as the kernel');
  if (bytes.length < 4) throw bad(`the bios has ${bytes.length} bytes, not one instruction`);
  return placeRaw(config, { image: 'bios', address: RAM_BASE, bytes, memoryBytes: bytes.length });
}

function placeKernel(config: MachineConfig, bytes: Uint8Array, bios: Placed | null): Placed {
  checkNotCompressed(bytes, 'kernel');
  if (isElf(bytes)) return placeElf(config, bytes, 'kernel');
  if (!isLinuxImage(bytes)) {
    throw bad('the kernel is neither a RISC-V ELF file nor a RISC-V Linux Image');
  }
  const image = parseLinuxImage(bytes);
  const floor = alignUp(bios?.end ?? RAM_BASE, KERNEL_ALIGN);
  const offset = image.textOffset === 0n ? KERNEL_OFFSET : image.textOffset;
  const wanted = RAM_BASE + Math.min(Number(offset), config.memoryBytes);
  return placeRaw(config, {
    image: 'kernel',
    address: Math.max(floor, wanted),
    bytes,
    memoryBytes: Number(image.memoryBytes),
  });
}

function placeRaw(config: MachineConfig, segment: LoadSegment): Placed {
  checkInRam(config, segment.image, BigInt(segment.address), BigInt(segment.memoryBytes));
  const end = segment.address + segment.memoryBytes;
  return { segments: [segment], entry: segment.address, end, elf: null };
}

function placeElf(config: MachineConfig, bytes: Uint8Array, what: string): Placed {
  const elf = parseElf(bytes, what);
  let end = 0;
  let hasEntry = false;
  const segments = elf.segments.map((segment): LoadSegment => {
    checkInRam(config, what, segment.address, segment.memoryBytes);
    const address = Number(segment.address);
    end = Math.max(end, address + Number(segment.memoryBytes));
    const past = segment.address + segment.memoryBytes;
    hasEntry ||= elf.entry >= segment.address && elf.entry < past;
    return {
      image: what,
      address,
      bytes: segment.bytes,
      memoryBytes: Number(segment.memoryBytes),
    };
  });
  if (!hasEntry) throw bad(`the ${what}'s entry ${hex(elf.entry)} lies outside its segments`);
  return { segments, entry: Number(elf.entry), end, elf };
}

function checkInRam(config: MachineConfig, what: string, start: bigint, length: bigint): void {
  const ramEnd = BigInt(RAM_BASE + config.memoryBytes);
  if (start >= BigInt(RAM_BASE) && start + length <= ramEnd) return;
  throw bad(
    `the ${what} needs memory at ${hex(start)} to ${hex(start + length)}, ` +
      `RAM is ${hex(RAM_BASE)} to ${hex(ramEnd)}`,
  );
}

/** As high as QEMU puts it, or less aligned where RAM is so small that something is in the way. */
function placeDeviceTree(
  config: MachineConfig,
  bytes: number,
  others: readonly LoadSegment[],
): number {
  const limit = Math.min(RAM_BASE + config.memoryBytes, DEVICE_TREE_LIMIT);
  for (const alignment of DEVICE_TREE_ALIGNS) {
    const address = alignDown(limit - bytes, alignment);
    const free = others.every(
      (other) => address >= other.address + other.memoryBytes || address + bytes <= other.address,
    );
    if (address >= RAM_BASE && free) return address;
  }
  throw bad(`no room for the device tree of ${bytes} bytes below ${hex(limit)}`);
}

function placeInitrd(
  config: MachineConfig,
  bytes: Uint8Array,
  kernel: Placed,
  treeAt: number,
): LoadSegment {
  const start = kernel.segments[0]?.address ?? RAM_BASE;
  const distance = Math.min(config.memoryBytes / 2, INITRD_DISTANCE_MAX);
  const preferred = alignUp(Math.max(start + distance, kernel.end), PAGE_BYTES);
  const highest = alignDown(treeAt - bytes.length, PAGE_BYTES);
  const address = Math.min(preferred, highest);
  if (address < kernel.end) {
    throw bad(
      `the initrd of ${bytes.length} bytes does not fit between the kernel's end ` +
        `${hex(kernel.end)} and the device tree at ${hex(treeAt)}: give the machine more memory`,
    );
  }
  return { image: 'initrd', address, bytes, memoryBytes: bytes.length };
}

function checkOverlaps(segments: readonly LoadSegment[]): void {
  let before: LoadSegment | null = null;
  for (const segment of segments) {
    if (before !== null && segment.address < before.address + before.memoryBytes) {
      throw bad(
        `${before.image} and ${segment.image} overlap at ${hex(segment.address)}: ` +
          `the first ends at ${hex(before.address + before.memoryBytes)}`,
      );
    }
    before = segment;
  }
}

function symbolsInRam(
  config: MachineConfig,
  elf: ElfFile | null,
): Partial<Record<KnownSymbol, number>> {
  const inRam: Partial<Record<KnownSymbol, number>> = {};
  const end = BigInt(RAM_BASE + config.memoryBytes);
  for (const name of KNOWN_SYMBOLS) {
    const address = elf?.symbols[name];
    const bytes = name === 'tohost' || name === 'fromhost' ? HTIF_WORD_BYTES : 0n;
    if (address !== undefined && address >= BigInt(RAM_BASE) && address + bytes <= end) {
      inRam[name] = Number(address);
    }
  }
  return inRam;
}

const RESET_CODE = [
  0x00000297, // auipc t0, 0
  0x02828613, // addi  a2, t0, 40
  0xf1402573, // csrr  a0, mhartid
  0x0202b583, // ld    a1, 32(t0)
  0x0182b283, // ld    t0, 24(t0)
  0x00028067, // jr    t0
] as const;
const FIRMWARE_INFO_AT = 40;
/** "OSBI", the version that knows `boot_hart`, and S mode for the next stage. */
const FIRMWARE_INFO_MAGIC = 0x4942_534fn;
const FIRMWARE_INFO_VERSION = 2n;
const MODE_SUPERVISOR = 1n;
const BOOT_HART = 0;

/**
 * The first instructions and their data: entry, device tree, then OpenSBI's fw_dynamic_info
 * (magic, version, next address, next mode, options, boot hart), all 64-bit.
 */
function resetVector(
  entry: number,
  deviceTree: number,
  nextAddress: number,
): Pick<LoadPlan, 'mrom' | 'bootArguments'> {
  const mrom = new Uint8Array(MROM.sizeBytes);
  const view = new DataView(mrom.buffer);
  for (const [index, code] of RESET_CODE.entries()) view.setUint32(index * 4, code, true);
  const data = [
    BigInt(entry),
    BigInt(deviceTree),
    FIRMWARE_INFO_MAGIC,
    FIRMWARE_INFO_VERSION,
    BigInt(nextAddress),
    MODE_SUPERVISOR,
    0n,
    BigInt(BOOT_HART),
  ];
  for (const [index, value] of data.entries()) {
    view.setBigUint64(RESET_CODE.length * 4 + index * 8, value, true);
  }
  const firmwareInfo = MROM.base + FIRMWARE_INFO_AT;
  return { mrom, bootArguments: { hart: BOOT_HART, deviceTree, firmwareInfo } };
}
