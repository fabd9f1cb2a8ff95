/**
 * The devices of the machine and their wires: what stands on the board beside the harts.
 *
 * The board owns no state; every device keeps its own in its block of words. Interrupt lines end
 * at the harts through the ports given here.
 */

import { Bus } from '../device/bus.js';
import { Clint, clintSpec } from '../device/clint.js';
import { Plic, plicSpec } from '../device/plic.js';
import { GoldfishRtc, RTC_SPEC } from '../device/rtc.js';
import { SYSCON_SPEC, Syscon } from '../device/syscon.js';
import { UART_SPEC, Uart } from '../device/uart.js';
import { VirtioBlock, virtioBlockSpec } from '../device/virtio/block.js';
import { VIRTIO_CONSOLE_SPEC, VirtioConsole } from '../device/virtio/console.js';
import { VIRTIO_ENTROPY_SPEC, VirtioEntropy } from '../device/virtio/entropy.js';
import { VirtioEmptySlot } from '../device/virtio/mmio.js';
import { VIRTIO_NET_SPEC, VirtioNet } from '../device/virtio/net.js';
import type { ClockPort, DiskPort, DmaPort, MmioDevice, OutputPort } from '../device/port.js';
import type { InputStream } from '../event/event.js';
import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { MachineConfig } from './config.js';
import type { MachineStop } from './machine.js';
import * as map from './memory-map.js';

export interface BoardPorts {
  readonly block: (spec: WordBlockSpec) => WordBlock;
  readonly dma: DmaPort;
  readonly clock: ClockPort;
  readonly output: OutputPort;
  /** One for each disk of the configuration. */
  readonly disks: readonly DiskPort[];
  readonly stop: (stop: MachineStop) => void;
  /** A line into a hart: `code` is the bit of mip. */
  readonly setLine: (hart: number, code: number, level: boolean) => void;
  readonly setTimeCompare: (hart: number, ticks: bigint) => void;
}

/** A device that the configuration leaves out has no words. */
export function boardSpecs({ harts, network, disks }: MachineConfig): readonly WordBlockSpec[] {
  return [
    clintSpec(harts),
    plicSpec(harts),
    UART_SPEC,
    RTC_SPEC,
    SYSCON_SPEC,
    VIRTIO_CONSOLE_SPEC,
    VIRTIO_ENTROPY_SPEC,
    ...(network === null ? [] : [VIRTIO_NET_SPEC]),
    ...disks.map((_, index) => virtioBlockSpec(index)),
  ];
}

export class Board {
  readonly uart: Uart;
  readonly console: VirtioConsole;
  readonly entropy: VirtioEntropy;
  /** Null for a machine without a network. */
  readonly net: VirtioNet | null;
  readonly rtc: GoldfishRtc;
  readonly bus: Bus;
  private readonly clint: Clint;
  private readonly plic: Plic;
  private readonly syscon: Syscon;
  private readonly blocks: readonly VirtioBlock[];
  private readonly harts: number;
  private readonly ports: BoardPorts;

  constructor(config: MachineConfig, ports: BoardPorts, mrom: MmioDevice) {
    this.harts = config.harts;
    this.ports = ports;
    const { block, dma, clock, output } = ports;
    this.clint = new Clint(block(clintSpec(config.harts)), {
      base: map.CLINT.base,
      harts: config.harts,
      clock,
      setSoftware: (hart, level) => ports.setLine(hart, 3, level),
      onTimerChange: (hart) => ports.setTimeCompare(hart, this.clint.timeCompare(hart)),
    });
    this.plic = new Plic(block(plicSpec(config.harts)), {
      base: map.PLIC.base,
      harts: config.harts,
      setExternal: (hart, mode, level) => ports.setLine(hart, mode === 'M' ? 11 : 9, level),
    });
    this.uart = new Uart(block(UART_SPEC), {
      base: map.UART.base,
      interrupt: this.plic.lineOf(map.UART_IRQ),
      output,
    });
    this.rtc = new GoldfishRtc(block(RTC_SPEC), {
      base: map.RTC.base,
      startSeconds: config.rtcStartSeconds,
      clock,
      interrupt: this.plic.lineOf(map.RTC_IRQ),
    });
    this.syscon = new Syscon(block(SYSCON_SPEC), {
      base: map.SYSCON.base,
      stop: (cause, status) => ports.stop({ cause, status }),
    });
    this.console = new VirtioConsole(block(VIRTIO_CONSOLE_SPEC), {
      ...this.slot(map.VIRTIO_CONSOLE_SLOT),
      dma,
      output,
    });
    this.entropy = new VirtioEntropy(block(VIRTIO_ENTROPY_SPEC), {
      ...this.slot(map.VIRTIO_ENTROPY_SLOT),
      dma,
    });
    this.net =
      config.network === null
        ? null
        : new VirtioNet(block(VIRTIO_NET_SPEC), {
            ...this.slot(map.VIRTIO_NET_SLOT),
            dma,
            output,
            mac: config.network.mac,
          });
    this.blocks = ports.disks.map((disk, index) => this.blockDevice(disk, index));
    this.bus = new Bus([
      this.clint,
      this.plic,
      this.uart,
      this.rtc,
      this.syscon,
      this.console,
      this.entropy,
      ...(this.net === null ? [] : [this.net]),
      ...this.blocks,
      ...this.emptySlots(),
      mrom,
    ]);
  }

  /** Power-on state of every device. */
  reset(): void {
    this.clint.reset();
    this.plic.reset();
    this.uart.reset();
    this.rtc.reset();
    this.syscon.reset();
    this.console.reset();
    this.entropy.reset();
    this.net?.reset();
    for (const block of this.blocks) block.reset();
    this.afterRestore();
  }

  /** A device has bounded work left, which goes on once a step. */
  hasWork(): boolean {
    return this.console.hasWork() || this.blocks.some((block) => block.hasWork());
  }

  resumeWork(): void {
    if (this.console.hasWork()) this.console.resume();
    for (const block of this.blocks) if (block.hasWork()) block.resume();
  }

  /** Tells the harts what the restored words say. */
  afterRestore(): void {
    for (let hart = 0; hart < this.harts; hart++) {
      this.ports.setTimeCompare(hart, this.clint.timeCompare(hart));
    }
  }

  consoleInput(stream: InputStream): Uart | VirtioConsole {
    return stream === 'uart' ? this.uart : this.console;
  }

  private blockDevice(disk: DiskPort, index: number): VirtioBlock {
    return new VirtioBlock(this.ports.block(virtioBlockSpec(index)), {
      ...this.slot(map.VIRTIO_BLOCK_SLOT + index),
      dma: this.ports.dma,
      index,
      disk,
    });
  }

  private slot(index: number) {
    return {
      base: map.virtioSlot(index).base,
      interrupt: this.plic.lineOf(map.virtioIrq(index)),
    };
  }

  /** virtio-mmio slots without a device: magic and version, device ID 0. */
  private emptySlots(): readonly MmioDevice[] {
    const used = [
      map.VIRTIO_CONSOLE_SLOT,
      map.VIRTIO_ENTROPY_SLOT,
      ...(this.net === null ? [] : [map.VIRTIO_NET_SLOT]),
      ...this.blocks.map((_, index) => map.VIRTIO_BLOCK_SLOT + index),
    ];
    return Array.from({ length: map.VIRTIO_SLOTS }, (_, index) => index)
      .filter((index) => !used.includes(index))
      .map((index) => new VirtioEmptySlot(map.virtioSlot(index).base));
  }
}
