/**
 * WatchService of a primary: the log as typed messages, for clients in any language.
 *
 * A watcher reads from what is kept in memory at its own pace. It acknowledges nothing and holds
 * up nobody; one that falls behind what is kept is ended and may start again.
 */

import { LockstepError } from '../lib/base/error.js';
import { decodeBatch } from '../lib/event/batch.js';
import { sha256 } from '../lib/host/log-store/sha256.js';
import type { LogTail, TailBatch } from '../lib/node/log-tail.js';
import type { WatchCall } from '../lib/node/role.js';
import { BoundedWriter } from '../lib/rpc/bounded-writer.js';
import { failCall, onCallOver } from '../lib/rpc/calls.js';
import type { WatchResponse } from '../lib/rpc/generated/lockstep/v1/watch.js';
import { kindsOf, watchEntry } from '../lib/rpc/watch-codec.js';

interface Watcher {
  readonly call: WatchCall;
  readonly writer: BoundedWriter<WatchResponse>;
  readonly kinds: ReadonlySet<string>;
  /** The call ends after this entry; null follows. */
  readonly endSeq: bigint | null;
  nextSeq: bigint;
  isOver: boolean;
}

export class WatchHub {
  private readonly tail: LogTail;
  private readonly watchers = new Set<Watcher>();
  private isScheduled = false;

  constructor(tail: LogTail) {
    this.tail = tail;
  }

  watch(call: WatchCall): void {
    const { fromSeq, kinds, follow } = call.request;
    const { lastSeq } = this.tail;
    const watcher: Watcher = {
      call,
      writer: new BoundedWriter(call, 0, () => this.pump(watcher)),
      kinds: kindsOf(kinds),
      endSeq: follow ? null : lastSeq,
      nextSeq: fromSeq === 0n ? lastSeq + 1n : fromSeq,
      isOver: false,
    };
    if (watcher.nextSeq <= lastSeq && this.tail.batchOf(watcher.nextSeq) === null) {
      throw new LockstepError('BAD_LOG', `entry ${fromSeq} is not kept in memory any more`);
    }
    this.watchers.add(watcher);
    onCallOver(call, () => this.forget(watcher));
    this.pump(watcher);
  }

  /** The log has grown. Watchers are served when nothing more urgent waits. */
  notice(): void {
    if (this.isScheduled || this.watchers.size === 0) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      for (const watcher of this.watchers) this.pump(watcher);
    });
  }

  close(): void {
    for (const watcher of this.watchers) watcher.call.end();
  }

  private pump(watcher: Watcher): void {
    while (!watcher.isOver && watcher.writer.isIdle && watcher.nextSeq <= this.tail.lastSeq) {
      const batch = this.tail.batchOf(watcher.nextSeq);
      if (batch === null) {
        this.forget(watcher);
        const message = `the watcher fell behind: entry ${watcher.nextSeq} is not kept any more`;
        failCall(watcher.call, new LockstepError('BAD_LOG', message));
        return;
      }
      this.send(watcher, batch);
    }
    const isDone = watcher.endSeq !== null && watcher.nextSeq > watcher.endSeq;
    if (isDone && !watcher.isOver) {
      this.forget(watcher);
      watcher.call.end();
    }
  }

  private send(watcher: Watcher, batch: TailBatch): void {
    const { entries } = decodeBatch(batch.bytes, sha256);
    const wanted = entries.filter(
      ({ seq, event }) => seq >= watcher.nextSeq && watcher.kinds.has(event.kind),
    );
    watcher.nextSeq = batch.lastSeq + 1n;
    const response = { entries: wanted.map(watchEntry), throughSeq: batch.lastSeq };
    if (wanted.length > 0) watcher.writer.offer(response, 0);
  }

  private forget(watcher: Watcher): void {
    watcher.isOver = true;
    watcher.writer.close();
    this.watchers.delete(watcher);
  }
}
