/**
 * Goal: a server of this project is limited, closed to the outside, and speaks the standard health
 * and reflection services; calls end as the table of statuses says.
 * Method: real servers on loopback and on unix sockets, called by real clients.
 */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Metadata, type ClientDuplexStream, type ServerDuplexStream } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { LockstepError } from '../../lib/base/error.js';
import type { LogEvent } from '../../lib/event/event.js';
import { failCall, onCallOver } from '../../lib/rpc/calls.js';
import { callUnary, clientTarget } from '../../lib/rpc/client.js';
import {
  ConsoleServiceService,
  type AttachRequest,
  type AttachResponse,
} from '../../lib/rpc/generated/lockstep/v1/console.js';
import { EventKind, LogEntry } from '../../lib/rpc/generated/lockstep/v1/watch.js';
import { MAX_MESSAGE_BYTES } from '../../lib/rpc/limits.js';
import { serveRpc, type RpcServer } from '../../lib/rpc/server.js';
import { clearSocketFile } from '../../lib/rpc/socket-file.js';
import { errorOfStatus } from '../../lib/rpc/status-table.js';
import { kindsOf, watchEntry } from '../../lib/rpc/watch-codec.js';

async function serve(
  t: ExecutionContext,
  listen: string,
  attach: (call: ServerDuplexStream<AttachRequest, AttachResponse>) => void = () => undefined,
): Promise<{ server: RpcServer; client: Client }> {
  const server = await serveRpc(listen, (grpc) =>
    grpc.addService(ConsoleServiceService, { attach }),
  );
  const { target, credentials, options } = clientTarget(server.address);
  const client = new Client(target, credentials, options);
  t.teardown(async () => {
    client.close();
    await server.close();
  });
  return { server, client };
}

function raw(client: Client, path: string, request: Buffer): Promise<Buffer> {
  const identity = (bytes: Buffer): Buffer => bytes;
  return callUnary<Buffer, Buffer>(
    (message, options, callback) =>
      client.makeUnaryRequest(path, identity, identity, message, options, (error, response) =>
        callback(error, response ?? Buffer.alloc(0)),
      ),
    request,
  );
}

function attach(client: Client): ClientDuplexStream<AttachRequest, AttachResponse> {
  const { path, requestSerialize, responseDeserialize } = ConsoleServiceService.attach;
  return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata());
}

function failureOf(call: ReturnType<typeof attach>): Promise<LockstepError> {
  return new Promise((resolve) => {
    call.on('data', () => undefined);
    call.on('error', (error) => resolve(errorOfStatus(error)));
  });
}

test('the health service says who is primary', async (t) => {
  const { server, client } = await serve(t, '127.0.0.1:0');
  const check = '/grpc.health.v1.Health/Check';
  const name = 'lockstep.v1.MachineService';
  const request = Buffer.concat([Buffer.from([10, name.length]), Buffer.from(name)]);
  t.deepEqual([...(await raw(client, check, request))], [8, 2]);
  server.setPrimary(true);
  t.deepEqual([...(await raw(client, check, request))], [8, 1]);
  t.deepEqual([...(await raw(client, check, Buffer.alloc(0)))], [8, 1]);
});

test('reflection lists the services of the schema', async (t) => {
  const { client } = await serve(t, '127.0.0.1:0');
  const identity = (bytes: Buffer): Buffer => bytes;
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const call = client.makeBidiStreamRequest(path, identity, identity);
  const answer = new Promise<string>((resolve, reject) => {
    call.on('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
    call.on('error', reject);
  });
  call.write(Buffer.from([0x3a, 0]));
  const services = await answer;
  call.end();
  for (const name of ['Replication', 'Watch', 'Console', 'Machine']) {
    t.true(services.includes(`lockstep.v1.${name}Service`), name);
  }
});

test('a failed call carries its error to the client', async (t) => {
  const { client } = await serve(t, '127.0.0.1:0', (call) => {
    failCall(call, new LockstepError('NOT_PRIMARY', 'not here', { primary: 'a:1', epoch: 2n }));
  });
  t.like(await failureOf(attach(client)), {
    code: 'NOT_PRIMARY',
    message: 'not here',
    fields: { primary: 'a:1', epoch: '2' },
  });
});

test('the end of a call is told once, whoever ends it', async (t) => {
  let over = 0;
  const { client } = await serve(t, '127.0.0.1:0', (call) => {
    onCallOver(call, () => (over += 1));
    call.on('data', () => failCall(call, new LockstepError('IO', 'no')));
  });
  const call = attach(client);
  const failure = failureOf(call);
  call.write({ message: { $case: 'input', value: { sequence: 1n, data: Buffer.alloc(0) } } });
  await failure;
  t.is(over, 1);
});

test('a message over the limit ends the call, not the server', async (t) => {
  const { client } = await serve(t, '127.0.0.1:0', (call) => call.resume());
  const call = attach(client);
  const failure = failureOf(call);
  const data = Buffer.alloc(MAX_MESSAGE_BYTES + 1);
  call.write({ message: { $case: 'input', value: { sequence: 1n, data } } });
  t.regex((await failure).message, /RESOURCE_EXHAUSTED/);
  t.deepEqual([...(await raw(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0)))], [8, 1]);
});

test('a unary call without an answer ends at its deadline', async (t) => {
  const { client } = await serve(t, '127.0.0.1:0');
  const never = callUnary<number, number>(
    (_, { deadline }, callback) =>
      setTimeout(
        () => callback(Object.assign(new Error('late'), { code: 4 }), 0),
        Math.max(0, deadline - Date.now()),
      ),
    1,
    20,
  );
  t.like(await t.throwsAsync(never), { code: 'IO' });
  t.truthy(client);
});

test('a unix socket is for its owner only', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-rpc-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 's');
  const { client } = await serve(t, `unix:${path}`);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.deepEqual([...(await raw(client, '/grpc.health.v1.Health/Check', Buffer.alloc(0)))], [8, 1]);
});

test('a file that is no socket is never removed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-rpc-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'file');
  writeFileSync(path, 'keep');
  t.like(await t.throwsAsync(clearSocketFile(path)), { code: 'IO' });
  t.true(statSync(path).isFile());
  await t.notThrowsAsync(clearSocketFile(join(folder, 'nothing')));
});

test('plaintext beyond loopback is refused on both ends', async (t) => {
  t.like(await t.throwsAsync(serveRpc('0.0.0.0:0', () => undefined)), { code: 'INSECURE' });
  t.like(
    t.throws(() => clientTarget('10.0.0.1:1')),
    { code: 'INSECURE' },
  );
});

test('every event has a typed message, and input shows its length only', (t) => {
  const here = { hart: 0, step: 5n };
  const events: LogEvent[] = [
    { kind: 'epoch', epoch: 1n },
    { kind: 'console-input', ...here, stream: 'uart', client: 1n, sequence: 3n, bytes: secret() },
    { kind: 'entropy', ...here, bytes: secret() },
    { kind: 'frame', ...here, bytes: secret() },
    { kind: 'rebase', ...here, rate: 9n },
    { kind: 'wake', ...here, time: 9n },
    { kind: 'interrupt', ...here, cause: 5 },
    { kind: 'output-mark', ...here, stream: 'uart', offset: 9n, digest: (1n << 64n) - 1n },
    { kind: 'state-hash', ...here, hash: 1n, words: [[0, 1n]], pages: [[1, 2n]] },
    { kind: 'horizon', steps: [5n] },
    { kind: 'control', ...here, action: 'power-off' },
    { kind: 'steal', ...here, page: 1, mode: 'write', byDevice: true, victims: [here] },
  ];
  const all = kindsOf([]);
  for (const event of events) {
    const entry = watchEntry({ seq: 4n, event });
    const bytes = LogEntry.encode(entry).finish();
    t.deepEqual(LogEntry.decode(bytes), entry);
    t.false(Buffer.from(bytes).includes('SECRET'));
    t.true(all.has(event.kind));
  }
  t.deepEqual([...kindsOf([EventKind.WAKE])], ['wake']);
});

function secret(): Uint8Array {
  return Buffer.from('SECRET');
}
