/**
 * Goal: bad input ends a node with a clear message and its exit status, and costs nothing else.
 * Method: real processes, started wrong.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Client } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { GenerationFileArbiter } from '../../lib/arbiter/generation-file.js';
import { EXIT_STATUS, type LockstepError } from '../../lib/base/error.js';
import { LOG_FORMAT_VERSION } from '../../lib/event/event.js';
import { clientTarget } from '../../lib/rpc/client.js';
import { Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import {
  Hello,
  ReplicationServiceService,
} from '../../lib/rpc/generated/lockstep/v1/replication.js';
import { PROTOCOL_VERSION } from '../../lib/rpc/limits.js';
import { errorOfStatus } from '../../lib/rpc/status-table.js';
import { ledgerLine, PairFixture, until, type NodeProcess } from '../support/pair.js';
import { smallDisk } from '../support/small-disk.js';

async function lastWords(node: NodeProcess): Promise<{ status: number | null; text: string }> {
  const status = await node.exit();
  return { status, text: node.stderr.join('\n') };
}

test.serial('a port in use is IO and names the address', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  const place = await until('a port', () => server.address());
  const port = typeof place === 'string' ? '' : place.port;
  const { status, text } = await lastWords(
    new PairFixture(t).primary('--listen', `127.0.0.1:${port}`),
  );
  t.is(status, EXIT_STATUS.IO);
  t.regex(text, new RegExp(`IO: can't listen on 127\\.0\\.0\\.1:${port}: .*in use`));
});

test.serial('a unix socket of a dead process is taken over, of a live one refused', async (t) => {
  const fixture = new PairFixture(t);
  const path = `unix:${join(fixture.folder, 's')}`;
  const first = fixture.primary('--listen', path, '--machine-id', 'first');
  t.is(await first.address(), path);
  const second = fixture.primary('--listen', path, '--machine-id', 'second');
  const { status, text } = await lastWords(second);
  t.is(status, EXIT_STATUS.IO);
  t.regex(text, /another process listens/);
  first.signal('SIGKILL');
  await first.exit();
  const third = fixture.primary('--listen', path, '--machine-id', 'third');
  await third.heard('starting -> solo');
  t.is((await third.status()).role, Role.PRIMARY);
});

test.serial('plaintext beyond loopback is refused for every port', async (t) => {
  const fixture = new PairFixture(t);
  for (const [flag, address] of [
    ['--listen', '0.0.0.0:0'],
    ['--metrics', '0.0.0.0:0'],
    ['--arbiter', 'etcd:127.0.0.1:1,0.0.0.0:0'],
  ] as const) {
    const { status, text } = await lastWords(fixture.primary(flag, address));
    t.is(status, EXIT_STATUS.INSECURE);
    t.regex(text, /INSECURE: .*0\.0\.0\.0:0/);
  }
});

test.serial('an arbiter directory that is missing, none or read-only ends the start', async (t) => {
  const fixture = new PairFixture(t);
  const file = join(fixture.folder, 'file');
  writeFileSync(file, '');
  // Root may write anywhere but on a file system that is read-only.
  const readOnly = smallDisk(t, 'ro');
  const places = [join(fixture.folder, 'missing'), file, ...(readOnly === null ? [] : [readOnly])];
  for (const place of places) {
    const { status, text } = await lastWords(fixture.primary('--arbiter', `file:${place}`));
    t.is(status, EXIT_STATUS.ARBITER_UNAVAILABLE);
    t.true(text.includes(place));
  }
  t.false(existsSync(join(fixture.folder, 'missing')));
});

test.serial('an etcd that nobody answers for ends the start', async (t) => {
  const { status, text } = await lastWords(
    new PairFixture(t).primary('--arbiter', 'etcd:127.0.0.1:1,127.0.0.1:2'),
  );
  t.is(status, EXIT_STATUS.ARBITER_UNAVAILABLE);
  t.regex(
    text,
    /ARBITER_UNAVAILABLE: the arbiter etcd:127\.0\.0\.1:1,127\.0\.0\.1:2 can't be used/,
  );
});

test.serial('a backup of another machine or id is refused with the difference', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  await primary.heard('starting -> solo');
  for (const flags of [
    ['--append', 'other'],
    ['--machine-id', 'other'],
  ]) {
    const { status, text } = await lastWords(await fixture.backup([primary], ...flags));
    t.is(status, EXIT_STATUS.INCOMPATIBLE_PEER);
    t.regex(text, /machine (digest|id).*: the backup has .*, the primary /);
  }
  t.is((await primary.status()).role, Role.PRIMARY);
});

/** What a primary answers to a backup that says `hello`, as an error. */
function refusal(
  t: ExecutionContext,
  address: string,
  hello: Partial<Hello>,
): Promise<LockstepError> {
  const { target, credentials, options } = clientTarget(address);
  const client = new Client(target, credentials, options);
  t.teardown(() => client.close());
  const { path, requestSerialize, responseDeserialize } = ReplicationServiceService.replicate;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const ended = new Promise<LockstepError>((resolve) => {
    call.on('error', (error) => resolve(errorOfStatus(error)));
  });
  call.on('data', () => t.fail('a primary that refuses sends nothing'));
  const value = { ...Hello.create(), machineId: 'machine', node: 'test', ...hello };
  call.write({ message: { $case: 'hello', value } });
  return ended;
}

test.serial('a backup of another version is refused with both versions', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  await primary.heard('starting -> solo');
  const address = await primary.address();
  const same = { protocolVersion: PROTOCOL_VERSION, logFormatVersion: LOG_FORMAT_VERSION };
  const cases = [
    [{ ...same, protocolVersion: PROTOCOL_VERSION + 1 }, 'protocol version', PROTOCOL_VERSION],
    [{ ...same, logFormatVersion: LOG_FORMAT_VERSION + 1 }, 'log format', LOG_FORMAT_VERSION],
  ] as const;
  for (const [hello, what, version] of cases) {
    const error = await refusal(t, address, hello);
    t.is(error.code, 'INCOMPATIBLE_PEER');
    t.regex(error.message, new RegExp(`${what}.*has ${version + 1}, the primary ${version}`));
  }
  t.is((await primary.status()).role, Role.PRIMARY);
});

test.serial('a node whose disk is full ends with IO, and its backup has everything', async (t) => {
  const disk = smallDisk(t);
  if (disk === null) return;
  // So that it is full soon.
  writeFileSync(join(disk, 'filler'), Buffer.alloc(160 * 1024));
  const fixture = new PairFixture(t);
  const primary = fixture.primary('--state-dir', join(disk, 'node'));
  const backup = await fixture.backup([primary]);
  await primary.heard('protecting -> protected');
  const log = await fixture.console([primary, backup]);
  for (let number = 1; primary.child.exitCode === null; number += 1) {
    log.send(`${number}\n`);
    await log.line(number - 1);
  }
  const { status, text } = await lastWords(primary);
  t.is(status, EXIT_STATUS.IO);
  t.regex(text, /IO: cannot write .*seg: no space left/);
  await backup.heard('promoting -> promoted');
  const count = log.lines.length + 1;
  log.send(`${count}\n`);
  await log.line(count - 1);
  log.lines.forEach((line, index) => t.is(line, ledgerLine(index + 1)));
});

test.serial('a second life of a machine is refused: its generation is taken', async (t) => {
  const fixture = new PairFixture(t);
  const first = fixture.primary();
  await first.heard('starting -> solo');
  const { status, text } = await lastWords(fixture.primary());
  t.is(status, EXIT_STATUS.FENCED);
  t.regex(text, /earlier life of this machine.*the primary is at 127/);
  t.is((await first.status()).role, Role.PRIMARY);
});

test.serial('a backup whose generation somebody else won ends and says nothing', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  // As if another backup had promoted at the same moment and had been quicker.
  const arbiter = new GenerationFileArbiter(fixture.arbiter);
  const holder = { address: '127.0.0.1:1', incarnation: 'rival' };
  const claim = { machine: 'machine', generation: 2n, holder };
  t.deepEqual(await arbiter.claim(claim), { outcome: 'won' });
  primary.signal('SIGKILL');
  const { status, text } = await lastWords(backup);
  t.is(status, EXIT_STATUS.FENCED);
  t.regex(text, /the primary is at 127\.0\.0\.1:1/);
});

test.serial('wrong flags are USAGE and name the flag', async (t) => {
  const fixture = new PairFixture(t);
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['--listen', 'nowhere', /nowhere/],
    ['--arbiter', 'x', /file:DIR or etcd:HOST:PORT/],
    ['--arbiter', 'etcd:x', /"x" is no address/],
    ['--suspect-ms', '60', /--suspect-ms 60/],
    ['--machine-id', '../x', /machine id/],
  ];
  for (const [flag, value, pattern] of cases) {
    const { status, text } = await lastWords(fixture.primary(flag, value));
    t.is(status, EXIT_STATUS.USAGE);
    t.regex(text, pattern);
  }
});

test.serial('the chosen addresses stand in address.json', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary('--metrics', '127.0.0.1:0');
  const ready = await primary.heard('ready');
  const text = readFileSync(join(fixture.folder, 'node-1', 'address.json'), 'utf8');
  const about: unknown = JSON.parse(text);
  t.like(about, { listen: ready['listen'], metrics: ready['metrics'], machineId: 'machine' });
});
