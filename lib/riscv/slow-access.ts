/**
 * Memory accesses that the TLB does not answer: walks, devices, page-crossing and misaligned
 * ones, stores to pages with code or page tables, instruction fetch.
 *
 * A fault is found before anything is written: an access over two pages translates both first.
 */

import { unreachable } from '../base/assert.js';
import type { CodeCache } from './code-cache.js';
import { isCompressed } from './decode.js';
import { MAILBOX } from './derived.js';
import {
  PAGE_DIRTY,
  PAGE_HAS_CODE,
  PAGE_HAS_TABLES,
  PAGE_SPECIAL,
  PAGE_WATCHED,
  type HartMemory,
} from './hart-memory.js';
import { HART_WORD } from './hart-state.js';
import { STATUS_DONE, STATUS_LEAVE, STATUS_TRAP } from './semantics/access-frame.js';
import type { HartImports } from './interpreter/instance.js';
import type { Mmu } from './mmu.js';
import type { PageRights } from './page-rights.js';
import type { Access } from './pmp.js';
import { EXCEPTION } from './privilege.js';

/** Memory-mapped devices by physical address; null and false are access faults. */
export interface MmioPort {
  read(physical: number, bytes: number): bigint | null;
  write(physical: number, bytes: number, value: bigint): boolean;
}

type Raise = (code: number, value: bigint) => void;

const join = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

export class SlowAccess {
  private readonly memory: HartMemory;
  private readonly mmu: Mmu;
  private readonly rights: PageRights;
  private readonly code: CodeCache;
  private readonly mmio: MmioPort;
  private readonly raise: Raise;
  private readonly value: number;

  constructor(parts: {
    readonly memory: HartMemory;
    readonly mmu: Mmu;
    readonly rights: PageRights;
    readonly code: CodeCache;
    readonly mmio: MmioPort;
    readonly raise: Raise;
  }) {
    this.memory = parts.memory;
    this.mmu = parts.mmu;
    this.rights = parts.rights;
    this.code = parts.code;
    this.mmio = parts.mmio;
    this.raise = parts.raise;
    this.value = parts.memory.mailbox + MAILBOX.value;
  }

  imports(): Pick<
    HartImports,
    | 'readSlow'
    | 'writeSlow'
    | 'atomicAddress'
    | 'fetchSlow'
    | 'decodeSlot'
    | 'fetchCross'
    | 'zeroBlock'
  > {
    return {
      readSlow: (low = 0, high = 0, bytes = 0) => this.read(low, high, bytes),
      writeSlow: (low = 0, high = 0, bytes = 0) => this.write(low, high, bytes),
      atomicAddress: (low = 0, high = 0, bytes = 0, write = 0) =>
        this.atomicAddress([low, high], bytes, write !== 0),
      fetchSlow: () => this.fetch(),
      decodeSlot: (slot = 0) => {
        this.code.decode(slot);
        return STATUS_DONE;
      },
      fetchCross: () => this.fetchCross(),
      zeroBlock: (low = 0, high = 0) => this.zeroBlock(low, high),
    };
  }

  /** Physical address of a virtual one, or -1 after a trap. */
  private physicalOf(low: number, high: number, access: Access): number {
    const page = this.mmu.translate(low, high, access);
    if (page >= 0) return page * 4096 + (low & 0xfff);
    this.raise(-page, join(low, high));
    return -1;
  }

  private read(low: number, high: number, bytes: number): number {
    if ((low & 0xfff) + bytes > 4096) return this.readAcross(low, high, bytes);
    const physical = this.physicalOf(low, high, 'read');
    if (physical < 0) return STATUS_TRAP;
    if (!this.memory.inRam(physical, bytes)) return this.readDevice(physical, bytes, [low, high]);
    this.mmu.fillData(low, high, Math.floor(physical / 4096), false);
    this.copy(this.memory.hostOf(physical), this.value, bytes);
    return STATUS_DONE;
  }

  private readAcross(low: number, high: number, bytes: number): number {
    const parts = this.split(low, high, { bytes, access: 'read' });
    if (parts === null) return STATUS_TRAP;
    this.memory.view.setBigUint64(this.value, 0n, true);
    let at = this.value;
    for (const part of parts) {
      this.copyBytes(this.memory.hostOf(part.physical), at, part.bytes);
      at += part.bytes;
    }
    return STATUS_DONE;
  }

  private write(low: number, high: number, bytes: number): number {
    if ((low & 0xfff) + bytes > 4096) return this.writeAcross(low, high, bytes);
    const physical = this.physicalOf(low, high, 'write');
    if (physical < 0) return STATUS_TRAP;
    if (!this.memory.inRam(physical, bytes)) return this.writeDevice(physical, bytes, [low, high]);
    this.mmu.fillData(low, high, Math.floor(physical / 4096), true);
    const host = this.memory.hostOf(physical);
    const status = this.beforeStore(host, bytes);
    this.copy(this.value, host, bytes);
    return status;
  }

  private writeAcross(low: number, high: number, bytes: number): number {
    const parts = this.split(low, high, { bytes, access: 'write' });
    if (parts === null) return STATUS_TRAP;
    let status: number = STATUS_DONE;
    let at = this.value;
    for (const part of parts) {
      const host = this.memory.hostOf(part.physical);
      if (this.beforeStore(host, part.bytes) !== STATUS_DONE) status = STATUS_LEAVE;
      this.copyBytes(at, host, part.bytes);
      at += part.bytes;
    }
    return status;
  }

  /** The parts of an access over a page border, all in RAM; null after a trap. */
  private split(
    low: number,
    high: number,
    request: { readonly bytes: number; readonly access: 'read' | 'write' },
  ): readonly { readonly physical: number; readonly bytes: number }[] | null {
    const here = 4096 - (low & 0xfff);
    const next = join(low, high) + BigInt(here);
    const nextLow = Number(next & 0xffffffffn) | 0;
    const nextHigh = Number((next >> 32n) & 0xffffffffn) | 0;
    const first = this.physicalOf(low, high, request.access);
    if (first < 0) return null;
    const second = this.physicalOf(nextLow, nextHigh, request.access);
    if (second < 0) return null;
    const rest = request.bytes - here;
    const firstInRam = this.memory.inRam(first, here);
    if (!firstInRam || !this.memory.inRam(second, rest)) {
      // The value names the part that faults (privileged specification, section 3.1.16).
      this.raise(accessFault(request.access), firstInRam ? next : join(low, high));
      return null;
    }
    this.claim(first, request.access);
    this.claim(second, request.access);
    return [
      { physical: first, bytes: here },
      { physical: second, bytes: rest },
    ];
  }

  private claim(physical: number, access: Access): void {
    const page = this.memory.pageOfHost(this.memory.hostOf(physical));
    if (access === 'write') this.rights.write(page);
    else this.rights.read(page);
  }

  /**
   * What must happen before bytes at `host` change: the page becomes dirty, decoded code and
   * translations from the bytes are dropped.
   */
  private beforeStore(host: number, bytes: number): number {
    const page = this.memory.pageOfHost(host);
    const flags = this.memory.flags(page);
    this.memory.addFlags(page, PAGE_DIRTY);
    if ((flags & PAGE_SPECIAL) === 0) return STATUS_DONE;
    const dropped = (flags & PAGE_HAS_CODE) !== 0 && this.code.invalidate(page, host, bytes);
    const remapped = (flags & PAGE_HAS_TABLES) !== 0 && this.mmu.beforeTableStore(host, bytes);
    return dropped || remapped || (flags & PAGE_WATCHED) !== 0 ? STATUS_LEAVE : STATUS_DONE;
  }

  /** Devices take naturally aligned accesses of 1, 2, 4 and 8 bytes. */
  private readDevice(physical: number, bytes: number, at: readonly [number, number]): number {
    const value = physical % bytes === 0 ? this.mmio.read(physical, bytes) : null;
    if (value === null) {
      this.raise(EXCEPTION.loadAccess, join(at[0], at[1]));
      return STATUS_TRAP;
    }
    this.memory.view.setBigUint64(this.value, value, true);
    return STATUS_LEAVE;
  }

  private writeDevice(physical: number, bytes: number, at: readonly [number, number]): number {
    const raw = this.memory.view.getBigUint64(this.value, true);
    const value = BigInt.asUintN(bytes * 8, raw);
    if (physical % bytes !== 0 || !this.mmio.write(physical, bytes, value)) {
      this.raise(EXCEPTION.storeAccess, join(at[0], at[1]));
      return STATUS_TRAP;
    }
    return STATUS_LEAVE;
  }

  /** Host address for LR, SC and AMO, or 0 after a trap; they must be aligned and in RAM. */
  private atomicAddress(
    [low, high]: readonly [number, number],
    bytes: number,
    write: boolean,
  ): number {
    if ((low & (bytes - 1)) !== 0) {
      this.raise(write ? EXCEPTION.storeMisaligned : EXCEPTION.loadMisaligned, join(low, high));
      return 0;
    }
    const access = write ? 'write' : 'read';
    const physical = this.physicalOf(low, high, access);
    if (physical < 0) return 0;
    if (!this.memory.inRam(physical, bytes)) {
      this.raise(accessFault(access), join(low, high));
      return 0;
    }
    this.mmu.fillData(low, high, Math.floor(physical / 4096), write);
    const host = this.memory.hostOf(physical);
    // Dropping what comes from the bytes before an SC fails loses nothing but time.
    const special = write && this.beforeStore(host, bytes) !== STATUS_DONE;
    this.memory.view.setInt32(this.memory.mailbox + MAILBOX.special, special ? 1 : 0, true);
    return host;
  }

  private pc(): readonly [number, number] {
    const { halves } = this.memory.block;
    return [(halves[HART_WORD.pc * 2] ?? 0) | 0, (halves[HART_WORD.pc * 2 + 1] ?? 0) | 0];
  }

  private fetch(): number {
    const [low, high] = this.pc();
    const physical = this.physicalOf(low, high, 'fetch');
    if (physical < 0) return STATUS_TRAP;
    if (!this.memory.inRam(physical, 2)) {
      this.raise(1, join(low, high));
      return STATUS_TRAP;
    }
    const page = this.memory.pageOfHost(this.memory.hostOf(physical));
    this.rights.read(page);
    if (!this.code.hasRoom(page)) {
      this.code.clear();
      this.mmu.flushFetch();
    }
    const slots = this.code.slotsOf(page);
    // Stores to the page must come here from now on.
    if (slots.fresh) this.mmu.cache.revokeWrites(page);
    this.mmu.fillFetch(low, high, slots.address);
    return STATUS_DONE;
  }

  /** The instruction at pc lies on two pages; a fault names the address of the half it hits. */
  private fetchCross(): number {
    const [low, high] = this.pc();
    const next = join(low, high) + 2n;
    const first = this.physicalOf(low, high, 'fetch');
    if (first < 0) return STATUS_TRAP;
    const nextLow = Number(next & 0xffffffffn) | 0;
    const second = this.physicalOf(nextLow, Number((next >> 32n) & 0xffffffffn) | 0, 'fetch');
    if (second < 0) return STATUS_TRAP;
    if (!this.memory.inRam(first, 2) || !this.memory.inRam(second, 2)) {
      this.raise(1, next);
      return STATUS_TRAP;
    }
    this.claim(first, 'fetch');
    this.claim(second, 'fetch');
    const lower = this.memory.view.getUint16(this.memory.hostOf(first), true);
    const upper = this.memory.view.getUint16(this.memory.hostOf(second), true);
    this.code.decodeCross((lower | (upper << 16)) >>> 0);
    return STATUS_DONE;
  }

  /** cbo.zero without a TLB hit; illegal where it is not enabled. */
  private zeroBlock(low: number, high: number): number {
    if (!this.mmu.cboZeroAllowed()) {
      this.raise(EXCEPTION.illegalInstruction, this.instructionBits());
      return STATUS_TRAP;
    }
    const page = this.mmu.translate(low, high, 'write');
    if (page < 0) {
      this.raise(-page, join(low, high));
      return STATUS_TRAP;
    }
    const physical = page * 4096 + (low & 0xfc0);
    if (!this.memory.inRam(physical, 64)) {
      this.raise(EXCEPTION.storeAccess, join(low, high));
      return STATUS_TRAP;
    }
    this.mmu.fillData(low, high, page, true);
    const host = this.memory.hostOf(physical);
    const status = this.beforeStore(host, 64);
    for (let at = host; at < host + 64; at += 8) this.memory.view.setBigUint64(at, 0n, true);
    return status;
  }

  /** The bits of the instruction at pc, for mtval; it has been fetched, so it can be read. */
  instructionBits(): bigint {
    const lower = this.codeHalf(0n);
    return isCompressed(lower) ? BigInt(lower) : BigInt(lower) | (BigInt(this.codeHalf(2n)) << 16n);
  }

  private codeHalf(offset: bigint): number {
    const [low, high] = this.pc();
    const address = join(low, high) + offset;
    const addressLow = Number(address & 0xffffffffn) | 0;
    const addressHigh = Number((address >> 32n) & 0xffffffffn) | 0;
    const page = this.mmu.translate(addressLow, addressHigh, 'fetch');
    const physical = page >= 0 ? page * 4096 + (addressLow & 0xfff) : 0;
    if (!this.memory.inRam(physical, 2)) return 0;
    this.claim(physical, 'fetch');
    return this.memory.view.getUint16(this.memory.hostOf(physical), true);
  }

  private copy(from: number, to: number, bytes: number): void {
    const { view } = this.memory;
    switch (bytes) {
      case 1:
        if (to === this.value) view.setBigUint64(to, 0n, true);
        view.setUint8(to, view.getUint8(from));
        return;
      case 2:
        if (to === this.value) view.setBigUint64(to, 0n, true);
        view.setUint16(to, view.getUint16(from, true), true);
        return;
      case 4:
        if (to === this.value) view.setUint32(to + 4, 0, true);
        view.setUint32(to, view.getUint32(from, true), true);
        return;
      case 8:
        view.setUint32(to, view.getUint32(from, true), true);
        view.setUint32(to + 4, view.getUint32(from + 4, true), true);
        return;
      default:
        unreachable(bytes as never);
    }
  }

  private copyBytes(from: number, to: number, bytes: number): void {
    for (let index = 0; index < bytes; index++) {
      this.memory.view.setUint8(to + index, this.memory.view.getUint8(from + index));
    }
  }
}

const accessFault = (access: 'read' | 'write'): number =>
  access === 'read' ? EXCEPTION.loadAccess : EXCEPTION.storeAccess;
