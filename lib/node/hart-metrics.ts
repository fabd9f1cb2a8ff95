/**
 * The counters of a machine as metrics, the same for both roles.
 */

import type { EngineFigures, HartProgress } from '../host/hart-listener.js';
import { TIMEBASE_HZ } from '../machine/config.js';
import type { NodeMetrics } from '../metrics/registry.js';
import type { EngineStatus } from '../rpc/generated/lockstep/v1/machine.js';

export function publishHart(metrics: NodeMetrics, progress: HartProgress): void {
  progress.steps.forEach((steps, hart) => {
    metrics.follow('lockstep_steps_total', { hart: String(hart) }, Number(steps));
  });
  metrics.set('lockstep_virtual_time_seconds', {}, Number(progress.time) / TIMEBASE_HZ);
  metrics.set('lockstep_hart_parked', {}, progress.parked ? 1 : 0);
}

export function publishEngine(metrics: NodeMetrics, engine: EngineFigures): void {
  metrics.set('lockstep_engine_regions', {}, engine.regionsLive);
  metrics.set('lockstep_engine_code_bytes', {}, engine.codeBytes);
  metrics.follow('lockstep_engine_regions_compiled_total', {}, engine.regionsCompiled);
  metrics.follow('lockstep_engine_regions_dropped_total', {}, engine.regionsDropped);
  metrics.follow('lockstep_engine_compiled_instructions_total', {}, engine.compiledInstructions);
  metrics.follow('lockstep_engine_compile_seconds_total', {}, engine.compileSeconds);
}

/** The same for whoever asks for the node's status. */
export function engineStatus(engine: EngineFigures): EngineStatus {
  return {
    regions: BigInt(engine.regionsLive),
    regionsCompiled: BigInt(engine.regionsCompiled),
    regionsDropped: BigInt(engine.regionsDropped),
    compiledInstructions: BigInt(engine.compiledInstructions),
    codeBytes: BigInt(engine.codeBytes),
    compileSeconds: engine.compileSeconds,
  };
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
