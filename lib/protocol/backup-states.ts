/**
 * The states of the backup's role and what may follow what.
 *
 *   dialing      -> greeting      the stream is open
 *   dialing      -> halted        the replica diverged
 *   greeting     -> dialing       refused for now, broken, or no answer in time
 *   greeting     -> waiting       enough others protect the primary
 *   greeting     -> loading       the primary sends a snapshot
 *   greeting     -> following     the primary goes on from this node's position
 *   greeting     -> halted        refused for good, stopped in order, or diverged
 *   waiting      -> dialing       the stream was lost
 *   waiting      -> loading       this node is wanted; the primary sends a snapshot
 *   waiting      -> halted        stopped in order
 *   loading      -> dialing       the stream was lost
 *   loading      -> following     the snapshot is loaded
 *   loading      -> halted        stopped in order
 *   following    -> dialing       the stream was lost; nothing was promised
 *   following    -> protecting    the protection entry of the session's epoch is here
 *   following    -> halted        stopped in order, or diverged
 *   protecting   -> following     the primary goes on in a newer epoch
 *   protecting   -> arbitrating   the primary was lost: stream closed, or silence
 *   protecting   -> halted        stopped in order, or diverged
 *   arbitrating  -> promoting     the arbiter granted the next generation
 *   arbitrating  -> dialing       somebody else has it, and this node follows
 *   arbitrating  -> halted        somebody else has it, or diverged
 *   promoting    -> promoted      drained to the last complete entry and the last horizon
 *   promoting    -> halted        diverged while draining
 *
 * Only a definite answer leads out of `arbitrating`: a claim without one may have been recorded,
 * and a backup that followed again could hold a generation without knowing it.
 */

import type { BackupState } from './backup-contract.js';
import type { TransitionTable } from './transition.js';

export const BACKUP_TRANSITIONS: TransitionTable<BackupState> = {
  dialing: ['greeting', 'halted'],
  greeting: ['dialing', 'waiting', 'loading', 'following', 'halted'],
  waiting: ['dialing', 'loading', 'halted'],
  loading: ['dialing', 'following', 'halted'],
  following: ['dialing', 'protecting', 'halted'],
  protecting: ['following', 'arbitrating', 'halted'],
  arbitrating: ['dialing', 'promoting', 'halted'],
  promoting: ['promoted', 'halted'],
  promoted: [],
  halted: [],
};

/** States in which the stream is used and acks are owed. */
export const LISTENING: readonly BackupState[] = ['loading', 'following', 'protecting'];

/** States in which silence means that the primary is gone. */
export const HEARING: readonly BackupState[] = ['waiting', ...LISTENING];
