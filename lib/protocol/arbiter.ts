/**
 * The arbiter's contract: a one-shot test-and-set per (machine, generation).
 *
 * Whoever wants to speak alone in epoch e must own generation e. The first claim of a generation
 * is recorded for ever with its holder; every later claim is answered with that record. There is
 * no lease, no lock, no expiry and no release: a lock that a stopped process keeps forbids every
 * promotion, and one that a dead process drops records nothing.
 *
 * Invariant: for one (machine, generation) at most one holder is ever answered `won`.
 *
 * A claim is idempotent for its holder: after `unavailable` the outcome is unknown (the record
 * may have been made and the answer lost), so the same holder asks again and is told the truth.
 * Hence a holder names one life of one process (address and a nonce drawn at its start), never
 * an address alone: a record of a previous life answers `lost`, and whoever meets it stops.
 *
 * This file is no arbiter. lib/arbiter makes one from files and one from etcd, lib/simulation one
 * from memory.
 */

/** What a claim is for and by whom. */
export interface Claim {
  /** Identity of the machine, unique for each of its lives from power-on. */
  readonly machine: string;
  /** The epoch that the holder wants to speak in; 1 is the first. */
  readonly generation: bigint;
  readonly holder: Holder;
}

/** One life of one process. */
export interface Holder {
  /** Where clients and backups find it, as they would dial it. */
  readonly address: string;
  /** Drawn once by each process; tells a restarted process from its previous life. */
  readonly incarnation: string;
}

/** The answer to a claim. */
export type ArbiterAnswer =
  /**
   * The record names the claimant; it may speak in this epoch. `token` is the store's own number
   * of the record, where it has one: it ascends with the generations, so that a sink which knows
   * the store can fence by it.
   */
  | { readonly outcome: 'won'; readonly token?: bigint }
  /** The record names somebody else (perhaps a previous life); the claimant never speaks in it. */
  | { readonly outcome: 'lost'; readonly holder: Holder }
  /** No answer; the record may or may not have been made. Ask again; do not speak. */
  | { readonly outcome: 'unavailable' };

/** What lib/arbiter implements; a rejected promise counts as `unavailable`. */
export interface Arbiter {
  claim(claim: Claim): Promise<ArbiterAnswer>;
  /** The newest recorded generation, for consoles and status; null if there is none. */
  newest(machine: string): Promise<{ readonly generation: bigint; readonly holder: Holder } | null>;
}

/** Whether two holders are the same life of the same process. */
export function sameHolder(left: Holder, right: Holder): boolean {
  return left.address === right.address && left.incarnation === right.incarnation;
}
