/**
 * Goal: any client may watch the log as typed messages, from any entry that is kept, without
 * holding anything up.
 * Method: a plain gRPC client of WatchService against real nodes.
 */

import { Client, type ClientReadableStream } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import type { LockstepError } from '../../lib/base/error.js';
import { clientTarget } from '../../lib/rpc/client.js';
import {
  EventKind,
  WatchServiceService,
  type LogEntry,
  type WatchRequest,
  type WatchResponse,
} from '../../lib/rpc/generated/lockstep/v1/watch.js';
import { errorOfStatus } from '../../lib/rpc/status-table.js';
import { PairFixture, until, type NodeProcess } from '../support/pair.js';

class Watcher {
  readonly entries: LogEntry[] = [];
  readonly ended: Promise<LockstepError | null>;
  /** The error that the call ended with; null as long as there is none. */
  failure: LockstepError | null = null;
  private readonly call: ClientReadableStream<WatchResponse>;

  constructor(t: ExecutionContext, address: string, request: WatchRequest) {
    const { target, credentials, options } = clientTarget(address);
    const client = new Client(target, credentials, options);
    t.teardown(() => client.close());
    const { path, requestSerialize, responseDeserialize } = WatchServiceService.watch;
    this.call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
    );
    this.call.on('data', ({ entries }: WatchResponse) => this.entries.push(...entries));
    this.ended = new Promise((resolve) => {
      this.call.on('end', () => resolve(null));
      this.call.on('error', (error) => {
        this.failure = errorOfStatus(error);
        resolve(this.failure);
      });
    });
  }

  static async of(
    t: ExecutionContext,
    node: NodeProcess,
    request: Partial<WatchRequest>,
  ): Promise<Watcher> {
    return new Watcher(t, await node.address(), {
      fromSeq: 1n,
      kinds: [],
      follow: false,
      ...request,
    });
  }
}

test.serial('a watcher gets every entry from the first on, without a gap', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  const log = await fixture.console([primary]);
  for (let number = 1; number <= 50; number += 1) log.send(`${number}\n`);
  await log.line(49);
  const { recordedSeq } = await primary.status();
  const watcher = await Watcher.of(t, primary, {});
  t.is(await watcher.ended, null);
  t.true(watcher.entries.length >= recordedSeq, `${watcher.entries.length} of ${recordedSeq}`);
  watcher.entries.forEach((entry, index) => t.is(entry.seq, BigInt(index + 1)));
  t.is(watcher.entries[0]?.event?.$case, 'epoch');
  const inputs = watcher.entries.filter(({ event }) => event?.$case === 'consoleInput');
  t.true(inputs.length > 0);
});

test.serial('a watcher that follows gets the kinds it asked for as they happen', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  // It answers from the start, but is primary only when the arbiter has granted the epoch.
  await primary.heard('starting -> solo');
  const log = await fixture.console([primary]);
  const kinds = [EventKind.OUTPUT_MARK];
  const watcher = await Watcher.of(t, primary, { fromSeq: 0n, kinds, follow: true });
  // Nothing says that the call has arrived; so transactions run until one is seen.
  await until('an output mark', async () => {
    if (watcher.failure !== null) throw watcher.failure;
    log.send('5\n');
    await log.line(log.lines.length);
    return watcher.entries.length > 3;
  });
  t.true(watcher.entries.every(({ event }) => event?.$case === 'outputMark'));
});

test.serial('a node that is not primary says who is', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const watcher = await Watcher.of(t, backup, {});
  t.like(await watcher.ended, {
    code: 'NOT_PRIMARY',
    fields: { primary: await primary.address(), epoch: '1' },
  });
});
