/**
 * Promptness: a silent backup is noticed, a living one is not thrown out, and a slow one slows the
 * guest instead of falling behind for ever.
 */

import type { Stream } from '../network.js';
import type { PrimaryRole } from '../primary-role.js';
import type { Process } from '../process.js';
import type { View } from './view.js';

const MARGIN_MS = 80;
/** Calm time after which the throttle must have found its rate. */
const SETTLE_MS = 800;
const LAG_LIMIT_TARGETS = 4;
const TURNS_WINDOW_MS = 1_000;
const TURNS_LIMIT = 10;

/** A protected primary hears its backup, or gives it up. */
export function checkHearing(view: View, primary: PrimaryRole): void {
  if (!primary.process.isRunning || primary.core.state !== 'protected') return;
  const { limits } = view.configuration;
  const heardMs = Math.max(primary.progress.heardAtMs, primary.process.runningSinceMs);
  if (view.nowMs - heardMs > limits.backupSilentMs + limits.heartbeatMs + MARGIN_MS) {
    view.violation(`${primary.process.name} has not noticed that its backup is silent`);
  }
}

/** A primary may call its backup stalled only after the time that policy gives it. */
export function checkStalled(view: View, primary: PrimaryRole, cause: string): void {
  const { limits } = view.configuration;
  if (cause !== 'backup stalled') return;
  if (view.nowMs - primary.progress.stuckSinceMs() < limits.ackStallMs * 0.9) {
    view.violation(`${primary.process.name} gave up a backup that was only slow`);
  }
}

/** A backup may suspect silence only if something kept its primary from being heard. */
export function checkSuspicion(view: View, process: Process, stream: Stream): void {
  const primary = stream.processes[1];
  if (!primary.isRunning) return;
  const { limits } = view.configuration;
  const there = view.network.link(primary.node, process.node);
  const back = view.network.link(process.node, primary.node);
  const calmSinceMs = Math.max(primary.runningSinceMs, there.upSinceMs, back.upSinceMs);
  const isCalm = there.isUp && back.isUp && view.nowMs - calmSinceMs > limits.suspectMs + MARGIN_MS;
  if (isCalm && stream.isOpen[1]) {
    view.violation(`${process.name} suspects ${primary.name}, which could be heard all the time`);
  }
}

/** Under steady load the lag stays near its target and the throttle keeps still. */
export function checkThrottle(view: View, primary: PrimaryRole, calmSinceMs: number): void {
  if (!primary.process.isRunning || primary.core.state !== 'protected') return;
  if (view.nowMs - calmSinceMs < SETTLE_MS) return;
  const { limits } = view.configuration;
  const { lagMs } = primary.core.figures(primary.process.nowMs());
  if (lagMs > limits.lagTargetMs * LAG_LIMIT_TARGETS) {
    view.violation(`${primary.process.name} lets its backup lag by ${Math.round(lagMs)} ms`);
  }
  const turns = primary.throttleTurns.atMs.filter((atMs) => atMs > view.nowMs - TURNS_WINDOW_MS);
  if (turns.length > TURNS_LIMIT) {
    view.violation(`${primary.process.name} turned its throttle ${turns.length} times in a second`);
  }
}
