/**
 * Virtual time of one hart, and what comes due by it: MTIP, STIP (Sstc) and devices' alarms.
 *
 * Time is timeBase + ((step - timeStep) * timeRate >> 32) ticks. Nothing here waits: the hart is
 * told the step at which it has to look again.
 */

import { HART_WORD, type HartField } from './hart-state.js';
import type { WordBlock } from '../memory/word-block.js';

const MENVCFG_STCE = 1n << 63n;
const NEVER = (1n << 64n) - 1n;
/** Bits of mip. */
const SUPERVISOR_TIMER = 5;
const MACHINE_TIMER = 7;

export interface TimerPorts {
  /** Steps counted by the hart, exact at any moment. */
  readonly step: () => bigint;
  /** Virtual time at which a device wants `pollDevices`, or null. */
  readonly deviceDeadline: () => bigint | null;
  readonly pollDevices: () => void;
}

export class HartTimers {
  private readonly block: WordBlock;
  private readonly ports: TimerPorts;
  /** CLINT's compare value for this hart, in ticks. */
  private machineCompare = NEVER;
  /** The step at which the timers must be looked at again; derived. */
  private nextStep = 0;

  constructor(block: WordBlock, ports: TimerPorts) {
    this.block = block;
    this.ports = ports;
  }

  /** Virtual time in timebase ticks; exact integer arithmetic. */
  time(): bigint {
    const delta = this.ports.step() - this.get('timeStep');
    return this.get('timeBase') + ((delta * this.get('timeRate')) >> 32n);
  }

  get rate(): bigint {
    return this.get('timeRate');
  }

  /** The step at which `update` is due. */
  get dueStep(): number {
    return this.nextStep;
  }

  /** From the present step on, time is `time` and advances by `rate` / 2^32 ticks a step. */
  set(time: bigint, rate: bigint): void {
    this.block.set(HART_WORD.timeBase, time);
    this.block.set(HART_WORD.timeStep, this.ports.step());
    this.block.set(HART_WORD.timeRate, rate);
    this.changed();
  }

  setMachineCompare(ticks: bigint): void {
    this.machineCompare = ticks;
    this.changed();
  }

  /** Time or a compare value changed: the timers are looked at before the next instruction. */
  changed(): void {
    this.nextStep = 0;
  }

  /** The earliest timer that would wake the parked hart, in ticks, or null. */
  deadline(): bigint | null {
    const enabled = this.get('mie');
    let earliest = this.ports.deviceDeadline() ?? NEVER;
    if (((enabled >> BigInt(MACHINE_TIMER)) & 1n) === 1n && this.machineCompare < earliest) {
      earliest = this.machineCompare;
    }
    if (((enabled >> BigInt(SUPERVISOR_TIMER)) & 1n) === 1n && this.supervisorTimerOn()) {
      const compare = this.get('stimecmp');
      if (compare < earliest) earliest = compare;
    }
    return earliest === NEVER ? null : earliest;
  }

  /** MTIP and STIP follow from time and the compare values; finds when they next change. */
  update(): void {
    const now = this.time();
    const deviceDeadline = this.ports.deviceDeadline();
    if (deviceDeadline !== null && deviceDeadline <= now) this.ports.pollDevices();
    const supervisorCompare = this.supervisorTimerOn() ? this.get('stimecmp') : NEVER;
    setLine(this.block, MACHINE_TIMER, now >= this.machineCompare);
    setLine(this.block, SUPERVISOR_TIMER, now >= supervisorCompare);
    let next = NEVER;
    for (const at of [deviceDeadline ?? NEVER, this.machineCompare, supervisorCompare]) {
      if (at > now && at < next) next = at;
    }
    this.nextStep = next === NEVER ? Infinity : this.stepAt(next);
  }

  /** The first step at which time is at least `ticks`, which lies in the future. */
  private stepAt(ticks: bigint): number {
    const { rate } = this;
    if (rate === 0n) return Infinity;
    const delta = (((ticks - this.get('timeBase')) << 32n) + rate - 1n) / rate;
    return Number(this.get('timeStep') + delta);
  }

  private supervisorTimerOn(): boolean {
    return (this.get('menvcfg') & MENVCFG_STCE) !== 0n;
  }

  private get(field: HartField): bigint {
    return this.block.get(HART_WORD[field]);
  }
}

/** Sets or clears an interrupt line: a bit of mip. */
export function setLine(block: WordBlock, code: number, level: boolean): void {
  const at = HART_WORD.mipLines * 2;
  const lines = block.halves[at] ?? 0;
  block.halves[at] = level ? lines | (1 << code) : lines & ~(1 << code);
}
