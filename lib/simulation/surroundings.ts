/**
 * What a simulated role sees of the world, and what the checkers see of a role.
 *
 * Roles get this interface instead of the world, so that they can do nothing else.
 */

import type { ArbiterAnswer } from '../protocol/arbiter.js';
import type { BackupPolicy } from '../protocol/backup-policy.js';
import type { PrimaryPolicy } from '../protocol/primary-policy.js';
import type { Agenda } from './agenda.js';
import type { Configuration } from './configuration.js';
import type { Entry, Replica } from './entry.js';
import type { Network, Stream } from './network.js';
import type { Process } from './process.js';
import type { Random } from './random.js';

/** Rules of everything around the cores; like the policies, a planted bug replaces one. */
export interface WorldRules {
  /** Clients and switches refuse output of an older epoch than they have seen. */
  readonly sinksFence: boolean;
  /** A client's transaction is answered by the guest's output, not by the host that got it. */
  readonly hostAnswersForGuest: boolean;
  /** A backup's machine is heard by nobody. */
  readonly backupIsMute: boolean;
  /** Steps a replica runs beyond the last entry it holds. */
  readonly stepsBeyondHorizon: number;
  /** The arbiter forgets what a process claimed when the process ends, as a lock would. */
  readonly arbiterForgets: boolean;
  /** Which disk requests a new primary issues again. */
  readonly reissues: 'open' | 'none' | 'completed-too';
  /** The console's device knows transactions that it has seen before. */
  readonly knowsClients: boolean;
  /** A snapshot holds requests that the disk has not completed. */
  readonly snapshotsHoldRequests: boolean;
}

export const WORLD_RULES: WorldRules = {
  sinksFence: true,
  hostAnswersForGuest: false,
  backupIsMute: true,
  stepsBeyondHorizon: 0,
  arbiterForgets: false,
  reissues: 'open',
  knowsClients: true,
  snapshotsHoldRequests: true,
};

export interface Rules {
  readonly primary: PrimaryPolicy;
  readonly backup: BackupPolicy;
  readonly world: WorldRules;
}

export interface Emission {
  readonly epoch: bigint;
  /** Offset of the first item. */
  readonly offset: number;
  readonly items: readonly number[];
}

export interface Surroundings {
  readonly agenda: Agenda;
  readonly network: Network;
  readonly random: Random;
  readonly configuration: Configuration;
  readonly rules: Rules;

  /** Adds to the trace and its digest; `text` is made only if somebody reads it. */
  trace(process: Process, code: number, text: () => string): void;
  /** False if a fault strikes the process before it carries out this effect. */
  mayPerform(process: Process, effect: string): boolean;
  claim(process: Process, generation: bigint, answer: (answer: ArbiterAnswer) => void): void;
  dial(process: Process, address: string, answer: (stream: Stream | null) => void): void;
  /** Sends output to the recorder and to `client`, or to all clients if null. */
  emit(process: Process, emission: Emission, client: number | null): void;
  /** The host itself tells a client that its transaction is done. */
  answerClient(client: number, sequence: number): void;
  /** The process exits. */
  exit(process: Process, cause: string): void;
  /** The backup's process goes on as primary. */
  becomePrimary(process: Process, takeover: TakeoverOrder): void;
  violation(what: string): void;
  readonly observe: Observer;
}

export interface TakeoverOrder {
  readonly epoch: bigint;
  readonly lastSeq: bigint;
  readonly releasedSeq: bigint;
  readonly guestStopped: boolean;
}

export interface Transition {
  readonly from: string;
  readonly to: string;
  readonly cause: string;
}

/** What roles report for the checkers. */
export interface Observer {
  transition(process: Process, kind: 'primary' | 'backup', change: Transition): void;
  replayed(process: Process, replica: Replica, entry: Entry): void;
  claimed(process: Process, generation: bigint): void;
  promoted(process: Process, replica: Replica, epoch: bigint): void;
  /** A backup leaves its stream because it heard nothing. */
  suspected(process: Process, stream: Stream): void;
}
