/**
 * Liveness: once all faults are over, a machine that can go on does, with all its clients and
 * under protection again. And the end of every run: what goes on explains everything heard.
 *
 * Faults may have taken every copy that could go on. Then nothing is demanded but silence, which
 * the other checkers watch.
 */

import { sameHolder } from '../../protocol/arbiter.js';
import type { PrimaryRole } from '../primary-role.js';
import { holderOf } from '../simulated-arbiter.js';
import { checkOutput, checkTransactions } from './output-safety.js';
import { mayPromote } from './truthful-status.js';
import type { View } from './view.js';

/** Transactions that every client must complete after the faults have ended. */
const TRANSACTIONS_AFTER_HEAL = 3;

export class Liveness {
  /** The transaction that each client must reach; null while nothing is demanded. */
  private goals: readonly number[] | null = null;

  /** The faults are over: from now on service is demanded, if there is anybody to give it. */
  faultsEnded(view: View): void {
    if (!mayGoOn(view)) return;
    this.goals = view.clients.map((client) => client.sequence + TRANSACTIONS_AFTER_HEAL);
  }

  isReached(view: View): boolean {
    const { goals } = this;
    const { nodes, incompatibleNode, snapshotFails } = view.configuration;
    if (goals === null) return false;
    if (view.clients.some((client, index) => client.sequence < (goals[index] ?? 0))) return false;
    const peers = nodes - (incompatibleNode >= 0 ? 1 : 0);
    if (peers < 2 || snapshotFails) return true;
    return view.primaries.some((primary) => primary.core.state === 'protected');
  }

  /** The run is over. */
  conclude(view: View, hasStopped: boolean): void {
    const newest = newestPrimary(view);
    if (newest !== null) {
      checkOutput(view, newest.replica, newest.process.name);
      checkTransactions(view, newest.replica, newest.process.name);
    }
    if (this.goals === null || hasStopped || mayEndUnserved(view) || this.isReached(view)) return;
    view.violation('all faults are over, but the service has not come back');
  }
}

/** Records of a previous life end every life; so may a flipped bit, found after the faults. */
function mayEndUnserved({ configuration }: View): boolean {
  const { staleGenerations, elderAtMs, faults } = configuration;
  const hasPast = staleGenerations.length > 0 || elderAtMs !== Infinity;
  return hasPast || faults.some((fault) => fault.kind === 'flip');
}

function newestPrimary(view: View): PrimaryRole | null {
  let newest: PrimaryRole | null = null;
  for (const role of view.primaries) {
    const { state, epoch } = role.core.figures(0);
    if (state === 'fenced' || state === 'starting') continue;
    if (newest === null || epoch > newest.core.figures(0).epoch) newest = role;
  }
  return newest;
}

/** Whether some living process has, or can get, the newest epoch. */
function mayGoOn(view: View): boolean {
  const newest = view.arbiter.newest();
  if (newest === null) return view.primaries.length > 0;
  const { generation, holder } = newest;
  const isAlive = [...view.primaries, ...view.backups].some(({ process }) =>
    sameHolder(holder, holderOf(process)),
  );
  if (isAlive) return true;
  return view.backups.some(
    (backup) => mayPromote(backup) && Number(backup.core.figures().epoch) === generation,
  );
}
