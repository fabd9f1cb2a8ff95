/**
 * Goal: a reader that does not read costs bounded memory, and order is kept.
 * Method: a stream that says when it is full, driven step by step; then a real gRPC call whose
 * client stops reading.
 */

import { EventEmitter } from 'node:events';
import { Client, type ServerDuplexStream } from '@grpc/grpc-js';
import test from 'ava';
import { BoundedWriter } from '../../../lib/rpc/bounded-writer.js';
import { clientTarget } from '../../../lib/rpc/client.js';
import {
  ReplicationServiceService,
  type ReplicateRequest,
  type ReplicateResponse,
} from '../../../lib/rpc/generated/lockstep/v1/replication.js';
import { serveRpc } from '../../../lib/rpc/server.js';
import { until } from '../../support/pair.js';

class FakeStream extends EventEmitter {
  readonly written: number[] = [];
  room = 0;

  write(message: number): boolean {
    this.written.push(message);
    this.room -= 1;
    return this.room > 0;
  }

  drain(room: number): void {
    this.room = room;
    this.emit('drain');
  }
}

test('messages wait while the stream is full, and keep their order', (t) => {
  const stream = new FakeStream();
  let idle = 0;
  const writer = new BoundedWriter<number>(stream, 100, () => (idle += 1));
  t.true(writer.isIdle);
  for (const message of [1, 2, 3, 4]) t.true(writer.offer(message, 10));
  t.deepEqual(stream.written, [1]);
  t.is(writer.queuedBytes, 30);
  stream.drain(2);
  t.deepEqual(stream.written, [1, 2, 3]);
  t.is(idle, 0);
  stream.drain(9);
  t.deepEqual(stream.written, [1, 2, 3, 4]);
  t.is(writer.queuedBytes, 0);
  t.is(idle, 1);
});

test('an offer beyond the limit is refused, but a lone large message is taken', (t) => {
  const stream = new FakeStream();
  const writer = new BoundedWriter<number>(stream, 100, () => undefined);
  writer.offer(1, 10);
  t.true(writer.offer(2, 500));
  t.false(writer.offer(3, 1));
  stream.drain(9);
  t.true(writer.offer(4, 90));
  writer.close();
  t.false(writer.offer(5, 1));
});

test('a long run through a slow stream keeps every message', (t) => {
  const stream = new FakeStream();
  const writer = new BoundedWriter<number>(stream, 1e9, () => undefined);
  for (let message = 0; message < 5_000; message += 1) writer.offer(message, 1);
  while (stream.written.length < 5_000) stream.drain(7);
  t.deepEqual(
    stream.written,
    [...stream.written].sort((a, b) => a - b),
  );
  t.is(writer.queuedBytes, 0);
});

test('a gRPC client that stops reading leaves at most the limit waiting', async (t) => {
  const limit = 1024 * 1024;
  let refused = 0;
  let writer: BoundedWriter<ReplicateResponse> | null = null;
  const server = await serveRpc('127.0.0.1:0', (grpc) => {
    grpc.addService(ReplicationServiceService, {
      replicate: (call: ServerDuplexStream<ReplicateRequest, ReplicateResponse>) => {
        const data = Buffer.alloc(64 * 1024);
        const value = { epoch: 1n, stream: 'uart', offset: 0n, data };
        writer = new BoundedWriter(call, limit, () => undefined);
        for (let count = 0; count < 2_000; count += 1) {
          if (!writer.offer({ message: { $case: 'history', value } }, data.length)) refused += 1;
        }
      },
    });
  });
  t.teardown(() => server.close());
  const { target, credentials, options } = clientTarget(server.address);
  const client = new Client(target, credentials, options);
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = ReplicationServiceService.replicate;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  call.on('error', () => undefined);
  call.pause();
  await until('a full queue', () => refused > 0);
  t.true((writer as BoundedWriter<ReplicateResponse> | null)?.queuedBytes !== undefined);
  t.true(((writer as BoundedWriter<ReplicateResponse> | null)?.queuedBytes ?? 0) <= limit);
  t.true(refused > 1_900 - limit / (64 * 1024));
  call.cancel();
});
