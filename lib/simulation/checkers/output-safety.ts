/**
 * Output safety: whatever anybody heard, and whatever a client knows to be done, is part of the
 * history of the machine that goes on.
 */

import { transactionOf } from '../guest.js';
import type { Replica } from '../entry.js';
import type { View } from './view.js';

/** Compares a replica that speaks, or is about to, with everything that was heard. */
export function checkOutput(view: View, replica: Replica, who: string): void {
  const { items } = view.heard;
  const { outputs } = replica.guest;
  if (items.length > outputs.length) {
    view.violation(`${items.length} items were heard, ${who} knows only ${outputs.length}`);
    return;
  }
  for (let index = 0; index < items.length; index += 1) {
    if (items[index] !== outputs[index]) {
      view.violation(`item ${index} was heard, but ${who} says another`);
      return;
    }
  }
}

/** Acknowledged transactions are present exactly once and in order. */
export function checkTransactions(view: View, replica: Replica, who: string): void {
  const last = new Map<number, number>();
  for (const item of replica.guest.history) {
    const { client, sequence } = transactionOf(item);
    const before = last.get(client) ?? 0;
    if (sequence !== before + 1) {
      view.violation(`client ${client}: ${who} has transaction ${sequence} after ${before}`);
      return;
    }
    last.set(client, sequence);
  }
  for (const client of view.clients) {
    const applied = last.get(client.id) ?? 0;
    if (applied < client.acknowledged) {
      view.violation(
        `client ${client.id} knows ${client.acknowledged} transactions, ${who} ${applied}`,
      );
    }
  }
}
