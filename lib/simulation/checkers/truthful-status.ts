/**
 * Truthful status: while a primary says `protected`, its death loses nothing that is committed.
 *
 * A backup that died or was cut off a moment ago can't be known yet; the primary has the time in
 * which it must notice.
 */

import type { BackupRole } from '../backup-role.js';
import type { PrimaryRole } from '../primary-role.js';
import type { View } from './view.js';

/** Time for a round trip and a late timer. */
const MARGIN_MS = 60;

export class TruthfulStatus {
  private readonly trueAtMs = new Map<PrimaryRole, number>();

  check(view: View): void {
    for (const primary of view.primaries) {
      if (!primary.process.isRunning || primary.core.protection() !== 'protected') continue;
      if (isCovered(view, primary)) {
        this.trueAtMs.set(primary, view.nowMs);
        continue;
      }
      const { limits } = view.configuration;
      const knownMs = Math.max(this.trueAtMs.get(primary) ?? 0, primary.process.runningSinceMs);
      if (view.nowMs - knownMs > limits.backupSilentMs + limits.heartbeatMs + MARGIN_MS) {
        view.violation(`${primary.process.name} says protected, and nobody could go on`);
      }
    }
  }
}

/** Whether somebody else has, or could get, everything this primary has committed. */
function isCovered(view: View, primary: PrimaryRole): boolean {
  const { committedSeq, epoch } = primary.core.figures(0);
  const entry = primary.replica.entry(Number(committedSeq));
  const others = [...view.primaries, ...view.backups].filter((other) => other !== primary);
  return others.some(
    (other) =>
      (other.kind === 'primary' || (mayPromote(other) && other.core.figures().epoch >= epoch)) &&
      (entry === null ||
        other.replica.baseSeq >= committedSeq ||
        other.replica.entry(Number(committedSeq)) === entry),
  );
}

export function mayPromote(backup: BackupRole): boolean {
  const { state } = backup.core;
  return state === 'protecting' || state === 'arbitrating' || state === 'promoting';
}
