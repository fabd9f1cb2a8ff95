/**
 * What a log says of harts that run in parallel: how much they ran together, and which pages they
 * took from each other. For `log stat`, and for the metrics of a node.
 */

import type { LogEvent, StealEvent } from '../event/event.js';
import { RAM_BASE } from '../machine/config.js';
import { PAGE_BYTES } from '../memory/layout.js';

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
  /** At the last horizon; null before the first, from which counting begins. */
  private steps: readonly bigint[] | null = null;
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
    const before = this.steps;
    this.steps = event.steps;
    if (before === null) return;
    const moved = event.steps.map((step, hart) => step - (before[hart] ?? 0n));
    const total = moved.reduce((sum, steps) => sum + steps, 0n);
    if (moved.filter((steps) => steps > 0n).length > 1) this.together += total;
    else this.alone += total;
  }

  result(): Sharing {
    const hottest: [page: number, steals: number][] = [];
    for (const [page, steals] of this.pages) {
      const place = hottest.findIndex(([, fewer]) => fewer < steals);
      if (place >= 0) hottest.splice(place, 0, [page, steals]);
      else hottest.push([page, steals]);
      if (hottest.length > HOTTEST) hottest.pop();
    }
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
