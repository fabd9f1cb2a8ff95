/**
 * What the machine reports, in its order, when the log so far is as safe as acknowledgements say.
 *
 * With durable acknowledgements nothing of an entry is known to the core, and so to the backup or
 * to a client, before the entry is on this node's stable storage. With the others nothing waits.
 */

import type { LogFiles } from '../lib/node/log-files.js';

export class FlushOrder {
  private readonly files: LogFiles | null;
  private readonly onFailure: (error: unknown) => void;
  private last: Promise<void> = Promise.resolve();
  private hasFailed = false;

  /** `files` is null where nothing waits. */
  constructor(files: LogFiles | null, onFailure: (error: unknown) => void) {
    this.files = files;
    this.onFailure = onFailure;
  }

  /** Acts after everything before it, once what was appended so far is flushed. */
  run(act: () => void): void | Promise<void> {
    const { files } = this;
    if (files === null) return act();
    this.last = this.last.then(async () => {
      if (this.hasFailed) return;
      try {
        await files.flush();
        act();
      } catch (error) {
        this.hasFailed = true;
        this.onFailure(error);
      }
    });
    return this.last;
  }
}
