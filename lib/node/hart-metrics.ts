/**
 * The counters of a machine as metrics, the same for both roles.
 */

import type { HartProgress } from '../host/hart-host.js';
import { TIMEBASE_HZ } from '../machine/config.js';
import type { NodeMetrics } from '../metrics/registry.js';

export function publishHart(metrics: NodeMetrics, progress: HartProgress): void {
  progress.steps.forEach((steps, hart) => {
    metrics.follow('lockstep_steps_total', { hart: String(hart) }, Number(steps));
  });
  metrics.set('lockstep_virtual_time_seconds', {}, Number(progress.time) / TIMEBASE_HZ);
  metrics.set('lockstep_hart_parked', {}, progress.parked ? 1 : 0);
}

/** By how many steps, over all harts, `behind` has fewer than `ahead`. */
export function stepsBehind(ahead: readonly bigint[], behind: readonly bigint[]): bigint {
  let total = 0n;
  ahead.forEach((steps, hart) => {
    const difference = steps - (behind[hart] ?? 0n);
    if (difference > 0n) total += difference;
  });
  return total;
}
