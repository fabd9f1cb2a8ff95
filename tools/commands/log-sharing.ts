/**
 * What a log says of harts that run in parallel: how much they ran together, and which pages they
 * took from each other.
 */

import type { LogEvent, StealEvent } from '../../lib/event/event.js';
import { PAGE_BYTES } from '../../lib/memory/layout.js';
import { RAM_BASE } from '../../lib/machine/config.js';

const HOTTEST = 5;

export interface Sharing {
  /** Steps of runs in which several harts moved, and of the others. */
  readonly stepsTogether: number;
  readonly stepsAlone: number;
  readonly steals: {
    /** A page of RAM to be read, or to be written, by a hart or by a device for it. */
    readonly read: number;
    readonly write: number;
    readonly byDevice: number;
    /** Accesses to devices by harts other than hart 0, and interrupts passed on. */
    readonly devices: number;
    readonly interrupts: number;
  };
  readonly hottestPages: readonly { readonly address: number; readonly steals: number }[];
}

export class SharingCount {
  private readonly ramPages: number;
  private steps: readonly bigint[] = [];
  private together = 0n;
  private alone = 0n;
  private readonly counts = { read: 0, write: 0, byDevice: 0, devices: 0, interrupts: 0 };
  private readonly pages = new Map<number, number>();

  constructor(memoryBytes: number) {
    this.ramPages = memoryBytes / PAGE_BYTES;
  }

  take(event: LogEvent): void {
    if (event.kind === 'steal') this.takeSteal(event);
    if (event.kind !== 'horizon') return;
    const moved = event.steps.map((step, hart) => step - (this.steps[hart] ?? 0n));
    const total = moved.reduce((sum, steps) => sum + steps, 0n);
    if (moved.filter((steps) => steps > 0n).length > 1) this.together += total;
    else this.alone += total;
    this.steps = event.steps;
  }

  result(): Sharing {
    const hottest = [...this.pages].sort(([, a], [, b]) => b - a).slice(0, HOTTEST);
    return {
      stepsTogether: Number(this.together),
      stepsAlone: Number(this.alone),
      steals: { ...this.counts },
      hottestPages: hottest.map(([page, steals]) => ({
        address: RAM_BASE + page * PAGE_BYTES,
        steals,
      })),
    };
  }

  private takeSteal({ page, mode, byDevice }: StealEvent): void {
    if (page === this.ramPages) this.counts.devices += 1;
    else if (page > this.ramPages) this.counts.interrupts += 1;
    else {
      this.counts[byDevice ? 'byDevice' : mode] += 1;
      this.pages.set(page, (this.pages.get(page) ?? 0) + 1);
    }
  }
}

export function describeSharing(sharing: Sharing): readonly string[] {
  const { stepsTogether, stepsAlone, steals, hottestPages } = sharing;
  const share = (100 * stepsTogether) / Math.max(1, stepsTogether + stepsAlone);
  return [
    `together  ${share.toFixed(1)} % of steps, in runs in which several harts moved`,
    `steals    ${steals.read} to read, ${steals.write} to write, ${steals.byDevice} by devices, ` +
      `${steals.devices} of devices, ${steals.interrupts} for interrupts`,
    ...hottestPages.map(
      ({ address, steals: count }) => `          ${count} of page 0x${address.toString(16)}`,
    ),
  ];
}
