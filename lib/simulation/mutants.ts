/**
 * Planted bugs: each replaces one rule by a mistake that somebody could make, and names the trap
 * of lock-step fault tolerance that it falls into. A simulator that does not kill them all is too
 * weak to be believed.
 *
 * Numbers of traps: 1-6 output rule and acks, 7-11 log end, 12-16 in-flight requests, 17-21
 * network, 22-30 arbitration and failures, 31-32 back-pressure, 39-42 determinism.
 */

import type { BackupPolicy } from '../protocol/backup-policy.js';
import type { PrimaryPolicy } from '../protocol/primary-policy.js';
import { TRUE_RULES } from './run.js';
import type { Rules, WorldRules } from './surroundings.js';

export interface Mutant {
  readonly name: string;
  readonly trap: number;
  /** What the mistake is, as its author would have put it. */
  readonly mistake: string;
  readonly rules: Rules;
}

interface Plan {
  readonly primary?: Partial<PrimaryPolicy>;
  readonly backup?: Partial<BackupPolicy>;
  readonly world?: Partial<WorldRules>;
}

function plant(trap: number, name: string, mistake: string, plan: Plan): Mutant {
  const rules = {
    primary: { ...TRUE_RULES.primary, ...plan.primary },
    backup: { ...TRUE_RULES.backup, ...plan.backup },
    world: { ...TRUE_RULES.world, ...plan.world },
  };
  return { name, trap, mistake, rules };
}

const { primary, backup } = TRUE_RULES;

export const MUTANTS: readonly Mutant[] = [
  plant(1, 'release-at-once', 'output leaves when it is recorded', {
    primary: { outputsWait: () => false },
  }),
  plant(2, 'sent-is-acked', 'what the transport took counts as acknowledged', {
    primary: { committed: (session) => session.sentSeq },
  }),
  plant(2, 'one-of-several-is-enough', 'output waits for the fastest of several backups', {
    primary: { committedByAll: (all) => all.reduce((most, one) => (one > most ? one : most), 0n) },
  }),
  plant(3, 'endless-gate', 'held output may grow without limit', {
    primary: {
      mustPause: (queue, bytes, limit) => queue === 'log' && primary.mustPause(queue, bytes, limit),
    },
  }),
  plant(4, 'mark-in-timer', 'an output mark waits in the batch for company', {
    primary: {
      flushes: (pending, limits) => primary.flushes({ ...pending, hasOutputMark: false }, limits),
    },
  }),
  plant(6, 'promote-after-power-off', 'a stream that ends is a failure, whatever the peer said', {
    backup: { endedInOrder: () => false },
  }),
  plant(7, 'torn-batch', 'a batch that broke off is taken as far as it came', {
    backup: {
      batchFault: (batch, received, epoch) =>
        backup.batchFault({ ...batch, intact: true }, received, epoch),
    },
  }),
  plant(7, 'tail-dropped', 'a new primary starts where its replay stands', {
    backup: { drainTarget: (_received, replayed) => replayed },
  }),
  plant(8, 'beyond-horizon', 'a replica with nothing to do runs ahead', {
    world: { stepsBeyondHorizon: 150 },
  }),
  plant(11, 'gap-accepted', 'sequence numbers are not compared', {
    backup: { batchFault: (batch) => (batch.intact ? null : 'torn') },
  }),
  plant(12, 'requests-forgotten', 'a new primary waits for disk requests that nobody runs', {
    world: { reissues: 'none' },
  }),
  plant(13, 'request-completed-twice', 'a new primary completes a completed request again', {
    world: { reissues: 'completed-too' },
  }),
  plant(17, 'old-epoch-accepted', 'sinks take output of a primary that was only stopped', {
    world: { sinksFence: false },
  }),
  plant(17, 'epoch-not-raised', 'a new primary speaks in the epoch of the old one', {
    backup: { takeoverEpoch: (generation) => generation - 1n },
  }),
  plant(18, 'nothing-resent', 'a new primary believes that everything had left', {
    backup: { resendAfter: (_released, received) => received },
  }),
  plant(18, 'console-doubles-input', 'what a client sends again is executed again', {
    world: { knowsClients: false },
  }),
  plant(19, 'host-answers', "the host acknowledges input on the guest's behalf", {
    world: { hostAnswersForGuest: true },
  }),
  plant(21, 'backup-speaks', "a replica's output is heard", {
    world: { backupIsMute: false },
  }),
  plant(22, 'primary-skips-arbiter', 'a primary that lost its backup goes on at once', {
    primary: { onLoss: () => 'run-alone' },
  }),
  plant(22, 'backup-skips-arbiter', 'a backup that lost its primary goes on at once', {
    backup: { asksArbiter: () => false },
  }),
  plant(23, 'arbiter-is-a-lock', 'the record goes when its holder dies', {
    world: { arbiterForgets: true },
  }),
  plant(24, 'silence-means-yes', 'a primary that gets no answer goes on', {
    primary: { mayRunAlone: (answer) => answer.outcome !== 'lost' },
  }),
  plant(24, 'backup-silence-means-yes', 'a backup that gets no answer promotes', {
    backup: { verdict: (answer) => (answer.outcome === 'lost' ? 'halt' : 'promote') },
  }),
  plant(24, 'loser-asks-again', 'a backup that lost keeps asking', {
    backup: { verdict: (answer) => (answer.outcome === 'won' ? 'promote' : 'retry') },
  }),
  plant(25, 'closed-is-not-lost', 'a stream that breaks is waited for', {
    backup: { suspectsClosedStream: () => false },
  }),
  plant(25, 'own-pause-ignored', 'silence counts while this process did not run', {
    backup: { creditLag: (heardMs) => heardMs },
  }),
  plant(26, 'slow-is-dead', 'a backup whose acks stall for a moment is given up', {
    primary: {
      backupLost: (health, limits) =>
        health.stalledMs >= limits.heartbeatMs ? 'stalled' : primary.backupLost(health, limits),
    },
  }),
  plant(27, 'backup-never-lost', 'only a closed stream counts as the loss of a backup', {
    primary: { backupLost: () => null },
  }),
  plant(28, 'protected-too-early', 'a joining backup may promote before protection began', {
    backup: { beginsProtection: () => true },
  }),
  plant(28, 'protected-for-another', "another backup's protection entry counts as one's own", {
    backup: { beginsProtection: (isRepeated, isSession) => isRepeated && isSession },
  }),
  plant(28, 'promise-outlives-epoch', 'a backup stays protected when its primary goes on anew', {
    backup: { promiseEndsWithEpoch: () => false },
  }),
  plant(28, 'snapshot-without-requests', 'a snapshot leaves out what the disk still does', {
    world: { snapshotsHoldRequests: false },
  }),
  plant(29, 'previous-life', 'a generation taken by the same address counts as own', {
    primary: {
      mayRunAlone: (answer) =>
        answer.outcome === 'won' || (answer.outcome === 'lost' && answer.holder.address === 'n0'),
    },
  }),
  plant(30, 'release-while-asking', 'held output leaves before the arbiter has answered', {
    primary: { outputsWait: (state) => state === 'protecting' || state === 'protected' },
  }),
  plant(31, 'endless-log', 'the log for a slow backup may grow without limit', {
    primary: {
      mustPause: (queue, bytes, limit) =>
        queue === 'output' && primary.mustPause(queue, bytes, limit),
    },
  }),
  plant(32, 'no-throttle', 'a slow backup falls behind', {
    primary: { nextThrottle: (view) => view.permille },
  }),
  plant(32, 'nervous-throttle', 'the throttle jumps between its ends', {
    primary: {
      nextThrottle: (view, limits) =>
        view.lagMs > limits.lagTargetMs / 4 ? limits.throttleMinPermille : 1000,
    },
  }),
  plant(40, 'divergence-ignored', 'a replica that differs goes on', {
    backup: { haltsOnDivergence: () => false },
  }),
];
