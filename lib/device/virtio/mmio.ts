/**
 * The virtio-mmio transport, version 2 (virtio 1.2, section 4.2): registers, status, feature
 * negotiation and interrupts, shared by all virtio devices of the machine.
 *
 *   reset --ACKNOWLEDGE|DRIVER--> negotiating --FEATURES_OK--> configuring --DRIVER_OK--> live
 *     ^                                                                                    |
 *     +------------- driver writes 0 to Status <--- needs reset <--- a rule is broken -----+
 *
 * Invariant: queues are touched only when live and sound. A driver that breaks a rule gets
 * DEVICE_NEEDS_RESET and a configuration interrupt, and the device does nothing more until the
 * driver resets it. The same happens on every replica, since it is all machine state.
 */

import { present } from '../../base/assert.js';
import type { WordBlock } from '../../memory/word-block.js';
import type { DmaPort, InterruptLine, MmioDevice } from '../port.js';
import { QUEUE_SIZE_MAX, queueFields, VirtQueue, type QueueFeatures } from './queue.js';

const REGISTER = {
  magic: 0x000,
  version: 0x004,
  deviceId: 0x008,
  vendorId: 0x00c,
  deviceFeatures: 0x010,
  deviceFeaturesSelect: 0x014,
  driverFeatures: 0x020,
  driverFeaturesSelect: 0x024,
  queueSelect: 0x030,
  queueSizeMax: 0x034,
  queueSize: 0x038,
  queueReady: 0x044,
  queueNotify: 0x050,
  interruptStatus: 0x060,
  interruptAcknowledge: 0x064,
  status: 0x070,
  queueDescLow: 0x080,
  queueDescHigh: 0x084,
  queueDriverLow: 0x090,
  queueDriverHigh: 0x094,
  queueDeviceLow: 0x0a0,
  queueDeviceHigh: 0x0a4,
  sharedMemoryLengthLow: 0x0b0,
  sharedMemoryBaseHigh: 0x0bc,
  configGeneration: 0x0fc,
  config: 0x100,
} as const;

/** "virt" and "LKST", little-endian. */
const MAGIC = 0x7472_6976;
const VENDOR = 0x5453_4b4c;

const STATUS_DRIVER_OK = 4;
const STATUS_FEATURES_OK = 8;
const STATUS_NEEDS_RESET = 64;
const STATUS_DRIVER_BITS = 0x8f;
const INTERRUPT_USED = 1;
const INTERRUPT_CONFIG = 2;

const FEATURE_INDIRECT = 1n << 28n;
const FEATURE_EVENT_INDEX = 1n << 29n;
const FEATURE_VERSION_1 = 1n << 32n;
const LOW_HALF = 0xffff_ffffn;

/** Words that every virtio device has; `queues` names its queues in the order of their numbers. */
export function virtioFields(queues: readonly string[]): readonly string[] {
  const transport = [
    'status',
    'deviceFeaturesSelect',
    'driverFeaturesSelect',
    'driverFeatures',
    'queueSelect',
    'interruptStatus',
    'configGeneration',
  ];
  return [...transport, ...queues.flatMap((queue) => queueFields(queue))];
}

export interface VirtioPorts {
  readonly base: number;
  readonly dma: DmaPort;
  readonly interrupt: InterruptLine;
}

export interface VirtioIdentity {
  readonly name: string;
  readonly deviceId: number;
  /** Feature bits of the device type; those of the transport are added. */
  readonly features: bigint;
  readonly queues: readonly string[];
}

export abstract class VirtioDevice implements MmioDevice {
  readonly name: string;
  readonly base: number;
  readonly sizeBytes = 0x1000;
  protected readonly block: WordBlock;
  protected readonly dma: DmaPort;
  private readonly interrupt: InterruptLine;
  private readonly identity: VirtioIdentity;
  private readonly offered: bigint;
  private readonly queues: readonly VirtQueue[];

  constructor(block: WordBlock, ports: VirtioPorts, identity: VirtioIdentity) {
    this.name = identity.name;
    this.base = ports.base;
    this.block = block;
    this.dma = ports.dma;
    this.interrupt = ports.interrupt;
    this.identity = identity;
    this.offered = identity.features | FEATURE_INDIRECT | FEATURE_EVENT_INDEX | FEATURE_VERSION_1;
    this.queues = identity.queues.map((queue) => new VirtQueue(block, queue, ports.dma));
  }

  /** The driver has work in queue `index`; the device is live. */
  protected abstract onKick(index: number): void;
  /** The driver took queue `index` back, by itself or by a reset: forget its request in work. */
  protected abstract onQueueStopped(index: number): void;

  /** Configuration space, one byte; devices without any keep this. */
  protected configByte(_offset: number): number {
    return 0;
  }

  /** State at power-on. */
  reset(): void {
    this.block.bytes.fill(0);
    this.interrupt.set(false);
  }

  /** True between DRIVER_OK and the next reset, unless the driver broke a rule. */
  protected isLive(): boolean {
    const status = this.get('status');
    return (status & STATUS_DRIVER_OK) !== 0 && (status & STATUS_NEEDS_RESET) === 0;
  }

  protected queue(index: number): VirtQueue {
    return present(this.queues[index], `queue ${index} of ${this.name}`);
  }

  /** True if the driver took this feature bit. */
  protected hasFeature(feature: bigint): boolean {
    return (this.block.get(this.block.index('driverFeatures')) & feature) !== 0n;
  }

  protected features(): QueueFeatures {
    return {
      indirect: this.hasFeature(FEATURE_INDIRECT),
      eventIndex: this.hasFeature(FEATURE_EVENT_INDEX),
    };
  }

  /** Tells the driver that used buffers are waiting. */
  protected raiseUsed(): void {
    this.raise(INTERRUPT_USED);
  }

  /** The driver broke a rule: stop, and say so in Status and by a configuration interrupt. */
  protected fail(): void {
    const status = this.get('status');
    if ((status & STATUS_NEEDS_RESET) !== 0) return;
    this.put('status', status | STATUS_NEEDS_RESET);
    if ((status & STATUS_DRIVER_OK) !== 0) this.raise(INTERRUPT_CONFIG);
  }

  private raise(cause: number): void {
    this.put('interruptStatus', this.get('interruptStatus') | cause);
    this.interrupt.set(true);
  }

  read(offset: number, bytes: number): bigint {
    if (offset >= REGISTER.config) return this.readConfig(offset - REGISTER.config, bytes);
    return bytes === 4 ? BigInt(this.readRegister(offset) >>> 0) : 0n;
  }

  private readConfig(offset: number, bytes: number): bigint {
    let value = 0n;
    for (let byte = 0; byte < bytes; byte++) {
      value |= BigInt(this.configByte(offset + byte)) << BigInt(byte * 8);
    }
    return value;
  }

  private readRegister(offset: number): number {
    switch (offset) {
      case REGISTER.magic:
        return MAGIC;
      case REGISTER.version:
        return 2;
      case REGISTER.deviceId:
        return this.identity.deviceId;
      case REGISTER.vendorId:
        return VENDOR;
      case REGISTER.deviceFeatures: {
        const select = this.get('deviceFeaturesSelect');
        return select > 1 ? 0 : Number((this.offered >> BigInt(select * 32)) & LOW_HALF);
      }
      case REGISTER.queueSizeMax:
        return this.selected() === undefined ? 0 : QUEUE_SIZE_MAX;
      case REGISTER.queueReady:
        return this.selected()?.ready === true ? 1 : 0;
      case REGISTER.interruptStatus:
        return this.get('interruptStatus');
      case REGISTER.status:
        return this.get('status');
      case REGISTER.configGeneration:
        return this.get('configGeneration');
      default:
        // No shared memory regions: length and base read as all ones (section 4.2.2).
        return offset >= REGISTER.sharedMemoryLengthLow && offset <= REGISTER.sharedMemoryBaseHigh
          ? 0xffff_ffff
          : 0;
    }
  }

  write(offset: number, bytes: number, value: bigint): void {
    if (bytes !== 4 || offset >= REGISTER.config) return;
    const number = Number(value & LOW_HALF);
    switch (offset) {
      case REGISTER.deviceFeaturesSelect:
        this.put('deviceFeaturesSelect', number);
        break;
      case REGISTER.driverFeaturesSelect:
        this.put('driverFeaturesSelect', number);
        break;
      case REGISTER.driverFeatures:
        this.writeDriverFeatures(value & LOW_HALF);
        break;
      case REGISTER.queueSelect:
        this.put('queueSelect', number);
        break;
      case REGISTER.queueNotify:
        this.notify(number);
        break;
      case REGISTER.interruptAcknowledge:
        this.put('interruptStatus', this.get('interruptStatus') & ~number);
        this.interrupt.set(this.get('interruptStatus') !== 0);
        break;
      case REGISTER.status:
        this.writeStatus(number);
        break;
      default:
        this.writeQueueRegister(offset, value & LOW_HALF);
        break;
    }
  }

  private writeQueueRegister(offset: number, value: bigint): void {
    const queue = this.selected();
    if (queue === undefined) return;
    switch (offset) {
      case REGISTER.queueSize:
        queue.setSize(Number(value));
        break;
      case REGISTER.queueReady:
        this.writeQueueReady(queue, (value & 1n) === 1n);
        break;
      case REGISTER.queueDescLow:
      case REGISTER.queueDescHigh:
        queue.setAddress('desc', offset === REGISTER.queueDescHigh, value);
        break;
      case REGISTER.queueDriverLow:
      case REGISTER.queueDriverHigh:
        queue.setAddress('driver', offset === REGISTER.queueDriverHigh, value);
        break;
      case REGISTER.queueDeviceLow:
      case REGISTER.queueDeviceHigh:
        queue.setAddress('device', offset === REGISTER.queueDeviceHigh, value);
        break;
      default:
        break;
    }
  }

  /** A queue that the driver takes back starts over at index 0 when it is made ready again. */
  private writeQueueReady(queue: VirtQueue, ready: boolean): void {
    if (ready) {
      if (!queue.enable()) this.fail();
    } else if (queue.ready) {
      queue.disable();
      this.onQueueStopped(this.get('queueSelect'));
    }
  }

  /** Features are settled by FEATURES_OK; later writes are ignored. */
  private writeDriverFeatures(half: bigint): void {
    const select = this.get('driverFeaturesSelect');
    if (select > 1 || (this.get('status') & STATUS_FEATURES_OK) !== 0) return;
    const index = this.block.index('driverFeatures');
    const old = this.block.get(index);
    const next = select === 0 ? (old & ~LOW_HALF) | half : (old & LOW_HALF) | (half << 32n);
    this.block.set(index, next);
  }

  private writeStatus(value: number): void {
    if (value === 0) {
      this.driverReset();
      return;
    }
    const old = this.get('status');
    let next = (old | (value & STATUS_DRIVER_BITS)) & 0xff;
    if ((old & STATUS_FEATURES_OK) === 0 && !this.featuresAcceptable()) next &= ~STATUS_FEATURES_OK;
    if ((next & STATUS_FEATURES_OK) === 0) next &= ~STATUS_DRIVER_OK;
    this.put('status', next);
  }

  /** The driver speaks version 1 and took only what was offered. */
  private featuresAcceptable(): boolean {
    const accepted = this.block.get(this.block.index('driverFeatures'));
    return (accepted & FEATURE_VERSION_1) !== 0n && (accepted & ~this.offered) === 0n;
  }

  private driverReset(): void {
    for (const field of virtioFields([])) this.put(field, 0);
    this.interrupt.set(false);
    for (const [index, queue] of this.queues.entries()) {
      queue.reset();
      this.onQueueStopped(index);
    }
  }

  private notify(index: number): void {
    const queue = this.queues[index];
    if (queue?.ready === true && this.isLive()) this.onKick(index);
  }

  private selected(): VirtQueue | undefined {
    return this.queues[this.get('queueSelect')];
  }

  protected get(field: string): number {
    return Number(this.block.get(this.block.index(field)));
  }

  protected put(field: string, value: number): void {
    this.block.set(this.block.index(field), BigInt(value));
  }
}

/** A slot with no device behind it: a driver reads device ID 0 and leaves it alone. */
export class VirtioEmptySlot implements MmioDevice {
  readonly name = 'virtio-empty';
  readonly base: number;
  readonly sizeBytes = 0x1000;

  constructor(base: number) {
    this.base = base;
  }

  read(offset: number, bytes: number): bigint {
    if (bytes !== 4) return 0n;
    if (offset === REGISTER.magic) return BigInt(MAGIC);
    return offset === REGISTER.version ? 2n : 0n;
  }

  write(): void {
    // Nothing behind the slot takes a value.
  }
}
