/**
 * Goal: `lockstep console` and `lockstep status` are what scripts and people can rely on: pipes,
 * exit statuses, one writer, no byte of an older epoch.
 * Method: the real commands on pipes against toy nodes, and a node of the test's own that lies
 * about its epoch.
 */

import { spawn } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { EXIT_STATUS } from '../../lib/base/error.js';
import {
  ConsoleServiceService,
  type AttachRequest,
  type AttachResponse,
} from '../../lib/rpc/generated/lockstep/v1/console.js';
import {
  GetStatusResponse,
  MachineServiceService,
  Role,
} from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { serveRpc } from '../../lib/rpc/server.js';
import { ConsoleLog, ledgerLine, PairFixture, until } from '../support/pair.js';

const LOCKSTEP = new URL('../../tools/lockstep.js', import.meta.url).pathname;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function lockstep(args: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [LOCKSTEP, ...args], { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString('latin1')));
  child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')));
  child.stdin.end(input);
  return new Promise((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }));
  });
}

test.serial('piped input is sent to its end, and its output comes out whole', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const nodes = `${await backup.address()},${await primary.address()}`;
  const numbers = Array.from({ length: 3_000 }, (_, index) => index + 1);
  const input = numbers.map((number) => `${number}\n`).join('');
  const { status, stdout, stderr } = await lockstep(['console', '--connect', nodes], input);
  t.is(status, 0);
  t.deepEqual(stdout.trimEnd().split('\n'), numbers.map(ledgerLine));
  t.regex(stderr, /attached to 127\.0\.0\.1:\d+, epoch 1/);
});

test.serial("the console ends with the machine and has the guest's status", async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  const args = ['console', '--connect', await primary.address()];
  const { status, stderr } = await lockstep(args, 'exit 5\n');
  t.is(status, 5);
  t.regex(stderr, /the machine ended: exit, status 5/);
});

test.serial('a console resumes at the byte it is told', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  const nodes = await primary.address();
  await lockstep(['console', '--connect', nodes], '1\n2\n3\n');
  const args = ['console', '--connect', nodes, '-q', '--offset', '6'];
  const { stdout } = await lockstep(args, '4\n');
  t.is(stdout, '2 2 3\n3 3 6\n4 4 10\n');
});

test.serial('a newer writer takes over, a reader disturbs nobody', async (t) => {
  const fixture = new PairFixture(t);
  const primary = fixture.primary();
  const first = await fixture.console([primary]);
  first.send('1\n');
  await first.line(0);
  const reader = await fixture.console([primary], false);
  await reader.line(0);
  t.is(first.failure, null);
  const second = await fixture.console([primary]);
  second.send('2\n');
  t.is(await second.line(1), '2 2 3');
  await until('the first writer to be told', () => first.failure !== null);
  t.like(first.failure, { code: 'USAGE', message: 'another client writes to this console now' });
  t.is(await reader.line(1), '2 2 3');
});

test.serial('status is 0 with a primary, 7 without, and JSON is one object a line', async (t) => {
  const fixture = new PairFixture(t);
  const { primary, backup } = await fixture.pair();
  const [first, second] = [await primary.address(), await backup.address()];
  const both = await lockstep(['status', '--connect', `${first},${second}`, '--json']);
  t.is(both.status, 0);
  const answers: unknown[] = both.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  t.like(answers[0], { address: first, role: 'primary', protection: 'protected', epoch: '1' });
  t.like(answers[1], { address: second, role: 'backup', primaryAddress: first });
  const alone = await lockstep(['status', '--connect', second]);
  t.is(alone.status, EXIT_STATUS.NOT_PRIMARY);
  t.regex(alone.stdout, /backup +protected +1/);
  const nobody = await lockstep(['status', '--connect', 'unix:/nowhere/s', '--json']);
  t.is(nobody.status, EXIT_STATUS.NOT_PRIMARY);
});

/** A node that says it is primary of `epoch` and sends `text` to whoever attaches. */
async function fakePrimary(
  t: ExecutionContext,
  epoch: bigint,
  text: string,
): Promise<{ address: string; attached: () => number }> {
  let attached = 0;
  const server = await serveRpc('127.0.0.1:0', (grpc) => {
    grpc.addService(MachineServiceService, {
      getStatus: (_call: unknown, answer: (error: null, status: GetStatusResponse) => void) => {
        answer(null, { ...GetStatusResponse.create(), role: Role.PRIMARY, epoch });
      },
    });
    grpc.addService(ConsoleServiceService, {
      attach: (call: ServerDuplexStream<AttachRequest, AttachResponse>) => {
        call.once('data', () => {
          attached += 1;
          const opened = { epoch, offset: 0n, writer: true, node: 'fake' };
          call.write({ message: { $case: 'opened', value: opened } });
          const value = { epoch, offset: 0n, data: Buffer.from(text) };
          call.write({ message: { $case: 'output', value } });
        });
      },
    });
  });
  t.teardown(() => server.close());
  return { address: server.address, attached: () => attached };
}

test.serial('a client that has seen a newer epoch takes nothing of an older one', async (t) => {
  const newer = await fakePrimary(t, 7n, 'newer\n');
  const older = await fakePrimary(t, 6n, 'OLDER\n');
  const log = new ConsoleLog([older.address, newer.address], true);
  t.teardown(() => log.session.close());
  await until('the newer epoch', () => log.session.epoch === 7n && log.bytes > 0);
  await until('its output', () => log.lines.includes('newer') || log.epochs.includes(7n));
  const bytes = log.bytes;
  await new Promise((resolve) => setTimeout(resolve, 700));
  t.is(log.bytes, bytes);
  t.is(log.epochs.at(-1), 7n);
  t.true(newer.attached() >= 1);
});
