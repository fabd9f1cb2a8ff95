/**
 * Tables of states: which state may follow which.
 *
 * A role changes its state through `assertTransition` only, so that a change that the table does
 * not know is a broken invariant, not a surprise. A test compares each table with the diagram in
 * its core's header; the simulator proves that its seeds take every arrow.
 */

import { assert } from '../base/assert.js';

/** For each state the states that may follow it; a terminal state has none. */
export type TransitionTable<State extends string> = Readonly<Record<State, readonly State[]>>;

/** Asserts that the table lets `to` follow `from`. */
export function assertTransition<State extends string>(
  table: TransitionTable<State>,
  from: State,
  to: State,
): void {
  assert(table[from].includes(to), `no transition from ${from} to ${to}`);
}

/** All arrows of a table as `from -> to`, in its order. */
export function arrows<State extends string>(table: TransitionTable<State>): string[] {
  const found: string[] = [];
  for (const [from, targets] of Object.entries<readonly string[]>(table)) {
    for (const to of targets) found.push(`${from} -> ${to}`);
  }
  return found;
}
