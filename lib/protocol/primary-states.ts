/**
 * The states of the primary's role and what may follow what.
 *
 *   starting     -> solo          the arbiter granted generation 1
 *   starting     -> fenced        generation 1 has an owner
 *   solo         -> joining       a backup opened a stream
 *   solo         -> fenced        a peer knows a newer epoch
 *   solo         -> stopped       the guest switched off
 *   joining      -> solo          the backup was lost; nothing was promised to it
 *   joining      -> protecting    it has caught up; the protection entry is logged
 *   joining      -> fenced        a peer knows a newer epoch
 *   joining      -> stopped       the guest switched off
 *   protecting   -> protected     the protection entry is acked
 *   protecting   -> arbitrating   the backup was lost; it may have the protection entry
 *   protecting   -> fenced        a peer knows a newer epoch
 *   protected    -> arbitrating   the backup was lost
 *   protected    -> fenced        a peer knows a newer epoch
 *   protected    -> stopped       the guest switched off and that is acked
 *   arbitrating  -> solo          the arbiter granted the next generation
 *   arbitrating  -> fenced        the backup has the next generation
 *
 * A newer epoch can exist only if protection began in this one, so in `solo` and `joining` its
 * appearance means that records of another life are at large; the answer is the same.
 */

import { unreachable } from '../base/assert.js';
import type { PrimaryState, Protection } from './primary-contract.js';
import type { TransitionTable } from './transition.js';

export const PRIMARY_TRANSITIONS: TransitionTable<PrimaryState> = {
  starting: ['solo', 'fenced'],
  solo: ['joining', 'fenced', 'stopped'],
  joining: ['solo', 'protecting', 'fenced', 'stopped'],
  protecting: ['protected', 'arbitrating', 'fenced'],
  protected: ['arbitrating', 'fenced', 'stopped'],
  arbitrating: ['solo', 'fenced'],
  fenced: [],
  stopped: [],
};

/** What health and metrics say of a state. */
export function protectionIn(state: PrimaryState): Protection {
  switch (state) {
    case 'starting':
    case 'solo':
      return 'unprotected';
    case 'joining':
    case 'protecting':
      return 'joining';
    case 'arbitrating':
      return 'holding';
    case 'protected':
    case 'fenced':
    case 'stopped':
      return state;
    default:
      return unreachable(state);
  }
}
