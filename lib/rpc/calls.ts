/**
 * The two ways a server ends a streaming call, and the one way it learns that the call is over.
 */

import type { EventEmitter } from 'node:events';
import { statusOfError } from './status-table.js';

/** Ends a streaming call with the status that `error` stands for. */
export function failCall(call: EventEmitter, error: unknown): void {
  call.emit('error', statusOfError(error));
}

/**
 * Calls `over` once, when the client has gone or the server has ended the call. That a client has
 * ended its half is the event 'end' and means what the service says.
 */
export function onCallOver(call: EventEmitter, over: () => void): void {
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    over();
  };
  for (const event of ['cancelled', 'error', 'close', 'finish']) call.on(event, once);
}
