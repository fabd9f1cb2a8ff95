/**
 * Goal: a machine on a worker thread does what a session does, and the thread between adds
 * nothing: order, bounded memory, promotion in place, an end that leaves nothing behind.
 * Method: the toy machine in real workers, one test at a time, since some of the guests take all
 * the time they get; every wait is on a condition.
 */

import { join } from 'node:path';
import test from 'ava';
import { readStartSnapshot } from '../../../lib/host/log-store/start-snapshot.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../../support/temporary-folder.js';
import { LockstepError } from '../../../lib/base/error.js';
import { HartHost } from '../../../lib/host/hart-host.js';
import { HostRun } from '../../support/host-run.js';
import { TOY_CONFIG, TOY_IMAGES } from '../../support/toy-machine.js';

const RECORD = { kind: 'record', epoch: 1n, firstSeq: 1n } as const;
const REPLAY = { kind: 'replay', firstSeq: 1n } as const;

test.serial('input comes back as output, with the entry that covers it', async (t) => {
  const run = await HostRun.start(t, { role: RECORD });
  run.send('5\n');
  await run.until(() => run.text() === '1 5 5\n');
  t.deepEqual(run.entries[0], { seq: 1n, event: { kind: 'epoch', epoch: 1n } });
  run.entries.forEach(({ seq }, index) => t.is(seq, BigInt(index + 1)));
  const [output] = run.outputs;
  const mark = run.entries.find(({ seq }) => seq === output?.seq)?.event;
  t.like(mark, { kind: 'output-mark', stream: 'uart', offset: 6n });
  const [logged] = run.inputs;
  const input = run.entries.find(({ seq }) => seq === logged?.seq)?.event;
  t.like(input, { kind: 'console-input', client: 9n, sequence: 2n });
});

test.serial('input that is sent again enters once and is acknowledged again', async (t) => {
  const run = await HostRun.start(t, { role: RECORD });
  run.send('5\n');
  await run.until(() => run.inputs.length === 1);
  const bytes = Uint8Array.from([53, 10, 54, 10]);
  run.hart.sendConsoleInput({ stream: 'uart', client: 9n, sequence: 2n, bytes: bytes.slice(0, 2) });
  run.hart.sendConsoleInput({ stream: 'uart', client: 9n, sequence: 4n, bytes });
  await run.until(() => run.text() === '1 5 5\n2 6 11\n');
  t.deepEqual(
    run.inputs.map(({ sequence }) => sequence),
    [2n, 2n, 4n],
  );
  t.throws(() => run.hart.sendConsoleInput({ stream: 'uart', client: 9n, sequence: 1n, bytes }), {
    code: 'USAGE',
  });
});

test.serial('a host that follows compares equal, and says so by its progress', async (t) => {
  const primary = await HostRun.start(t, { role: RECORD });
  for (let number = 1; number <= 30; number++) primary.send(`${number}\n`);
  primary.send('spin 3000000\n');
  primary.send('1\n');
  await primary.until(() => primary.text().endsWith('31 1 466\n'));
  const state = await primary.standStill();
  const backup = await HostRun.start(t, { role: REPLAY });
  backup.hart.feed(primary.entries);
  await backup.until(() => backup.hart.progress().seq === state.seq);
  const copy = await backup.hart.inspect();
  t.is(await backup.hart.stateHash(), await primary.hart.stateHash());
  t.deepEqual(copy.words, state.words);
  t.is(backup.outputs.length, 0);
  t.is(backup.diverged, null);
});

test.serial('a promoted host goes on at the right byte and keeps no input twice', async (t) => {
  const primary = await HostRun.start(t, { role: RECORD });
  primary.send('5\n');
  primary.send('6\n');
  await primary.until(() => primary.text() === '1 5 5\n2 6 11\n');
  await primary.hart.stop();
  const backup = await HostRun.start(t, { role: REPLAY });
  backup.hart.feed(primary.entries);
  backup.hart.released('uart', 6n);
  const promotion = await backup.hart.promote(2n);
  t.is(promotion.seq, BigInt(primary.entries.length) + 1n);
  const [tail] = promotion.outputs;
  t.is(tail?.stream, 'uart');
  t.is(String.fromCharCode(...(tail?.bytes ?? [])), '1 5 5\n2 6 11\n');
  // The client repeats what it is not sure of, and adds a line.
  const bytes = Uint8Array.from([54, 10, 55, 10]);
  backup.hart.sendConsoleInput({ stream: 'uart', client: 9n, sequence: 6n, bytes });
  await backup.until(() => backup.text() === '3 7 18\n');
  t.is(backup.outputs[0]?.offset, 13n);
  t.deepEqual(backup.entries[0], { seq: promotion.seq, event: { kind: 'epoch', epoch: 2n } });
});

test.serial('a log that does not fit is reported, and the host is not promoted', async (t) => {
  const primary = await HostRun.start(t, { role: RECORD });
  primary.send('5\n');
  await primary.until(() => primary.text() !== '');
  await primary.hart.stop();
  const backup = await HostRun.start(t, { role: REPLAY });
  backup.hart.feed(
    primary.entries.map(({ seq, event }) =>
      event.kind === 'output-mark'
        ? { seq, event: { ...event, digest: event.digest ^ 1n } }
        : { seq, event },
    ),
  );
  await backup.until(() => backup.diverged !== null);
  t.is(backup.diverged?.code, 'DIVERGED');
  t.is(backup.diverged?.fields['what'], 'output of uart');
  await t.throwsAsync(backup.hart.promote(2n), { code: 'DIVERGED' });
});

test.serial('a gap in what is fed is BAD_LOG', async (t) => {
  const backup = await HostRun.start(t, { role: REPLAY });
  backup.hart.feed([{ seq: 2n, event: { kind: 'epoch', epoch: 1n } }]);
  await backup.until(() => backup.diverged !== null);
  t.is(backup.diverged?.code, 'BAD_LOG');
});

test.serial('a snapshot starts a second machine that goes on with the log', async (t) => {
  const primary = await HostRun.start(t, { role: RECORD });
  for (let number = 1; number <= 9; number++) primary.send(`${number}\n`);
  await primary.until(() => primary.text().endsWith('9 9 45\n'));
  const { seq, bytes } = await primary.hart.snapshot();
  primary.send('5\n');
  await primary.until(() => primary.text().endsWith('10 5 50\n'));
  const state = await primary.standStill();
  const backup = await HostRun.start(t, {
    role: { kind: 'replay', firstSeq: seq + 1n },
    start: { kind: 'snapshot', snapshot: bytes },
  });
  backup.hart.feed(primary.entries.filter((entry) => entry.seq > seq));
  await backup.until(() => backup.hart.progress().seq === state.seq);
  t.is(await backup.hart.stateHash(), await primary.hart.stateHash());
  const promotion = await backup.hart.promote(2n);
  backup.send('1\n', 8n);
  await backup.until(() => backup.text() === '11 1 51\n');
  t.is(backup.outputs[0]?.offset, BigInt(primary.text().length));
  t.is(promotion.outputs[0]?.offset, BigInt(primary.text().length - '10 5 50\n'.length));
});

test.serial(
  'a replaying host writes the machine that it was given; where it cannot, IO',
  async (t) => {
    const primary = await HostRun.start(t, { role: RECORD });
    primary.send('4\n');
    await primary.until(() => primary.text().endsWith('1 4 4\n'));
    const { seq, bytes } = await primary.hart.snapshot();
    const backup = await HostRun.start(t, {
      role: { kind: 'replay', firstSeq: seq + 1n },
      start: { kind: 'snapshot', snapshot: bytes },
    });
    const folder = makeTemporaryFolder('start');
    t.teardown(() => removeTemporaryFolder(folder));
    await backup.hart.writeStart(folder, 'durable');
    t.deepEqual(readStartSnapshot(folder), Buffer.from(bytes));
    await t.throwsAsync(backup.hart.writeStart(join(folder, 'missing'), 'memory'), { code: 'IO' });
    backup.hart.feed(primary.entries.filter((entry) => entry.seq > seq));
    t.true((await backup.hart.promote(2n)).seq > seq, 'it goes on');
  },
);

test.serial(
  'a listener that consumes nothing stops the guest, and it goes on afterwards',
  async (t) => {
    const run = await HostRun.start(t, { role: RECORD, reportBudgetBytes: 64 * 1024 });
    const consume = run.block();
    run.send('print 20000\n');
    await run.until(() => run.outputBytes > 10_000);
    let before = -1;
    // The guest has stopped when a whole interval passes without a byte.
    for (let quiet = 0; quiet < 10;) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      quiet = run.outputBytes === before ? quiet + 1 : 0;
      before = run.outputBytes;
    }
    // One report may go over the budget: a slice that ends when 4 KiB are waiting.
    t.true(run.outputBytes < 2 * 64 * 1024, `${run.outputBytes} bytes were reported`);
    consume();
    await run.until(() => run.outputBytes === 20_000 * 64);
  },
);

test.serial(
  'pause stops the steps, resume lets them go on, and a follower may come up',
  async (t) => {
    const run = await HostRun.start(t, { role: RECORD });
    run.send('spin 1000000000000\n');
    await run.until(() => (run.hart.progress().steps[0] ?? 0n) > 1_000_000n);
    run.hart.pause();
    const paused = await run.hart.inspect();
    t.is((await run.hart.inspect()).steps[0], paused.steps[0]);
    await run.until(() => {
      const last = run.entries.filter(({ event }) => event.kind === 'horizon').at(-1)?.event;
      return last?.kind === 'horizon' && last.steps[0] === paused.steps[0];
    });
    run.hart.resume();
    await run.until(() => (run.hart.progress().steps[0] ?? 0n) > (paused.steps[0] ?? 0n));
    await run.hart.stop();
    t.pass();
  },
);

test.serial('a throttled guest runs slower', async (t) => {
  const run = await HostRun.start(t, { role: RECORD });
  run.send('spin 1000000000000\n');
  const rate = async (): Promise<number> => {
    const from = run.hart.progress().steps[0] ?? 0n;
    const startMs = performance.now();
    await run.until(() => performance.now() - startMs > 200);
    return Number((run.hart.progress().steps[0] ?? 0n) - from) / (performance.now() - startMs);
  };
  await run.until(() => (run.hart.progress().steps[0] ?? 0n) > 1_000_000n);
  const full = await rate();
  run.hart.setThrottle(50);
  await rate();
  const slow = await rate();
  t.true(slow < full / 3, `${slow} against ${full} steps a millisecond`);
  t.true(slow > 0);
});

test.serial(
  'a guest that powers off is reported after its last output, and is not promoted',
  async (t) => {
    const run = await HostRun.start(t, { role: RECORD });
    run.send('5\nexit 3\n');
    await run.until(() => run.stop !== null);
    t.deepEqual(run.stop, { cause: 'exit', status: 3 });
    t.is(run.text(), '1 5 5\n');
    t.is(run.outputs.at(-1)?.stream, 'power');
    const backup = await HostRun.start(t, { role: REPLAY });
    backup.hart.feed(run.entries);
    await backup.until(() => backup.stop !== null);
    t.deepEqual(backup.stop, { cause: 'exit', status: 3 });
    await t.throwsAsync(backup.hart.promote(2n), { code: 'GUEST_STOPPED' });
  },
);

test.serial('an operator can switch the machine off, as part of history', async (t) => {
  const run = await HostRun.start(t, { role: RECORD });
  run.hart.powerOff();
  await run.until(() => run.stop !== null);
  t.true(run.entries.some(({ event }) => event.kind === 'control' && event.action === 'power-off'));
});

test.serial('a run without outside influence is the same to the last bit', async (t) => {
  const hashes = new Set<bigint>();
  for (let round = 0; round < 2; round++) {
    const run = await HostRun.start(t, {
      role: { kind: 'free' },
      clock: 'steps',
      untilStep: 12_345n,
    });
    await run.until(() => run.reachedStep !== null);
    t.is(run.reachedStep, 12_345n);
    const state = await run.hart.inspect();
    t.deepEqual(state.steps, [12_345n]);
    hashes.add(await run.hart.stateHash());
    t.deepEqual(run.entries, []);
  }
  t.is(hashes.size, 1);
});

test.serial('guest RAM can be read, and nothing else', async (t) => {
  const run = await HostRun.start(t, { role: { kind: 'free' } });
  run.send('5\n');
  await run.until(() => run.text() !== '');
  const bytes = await run.hart.readRam(0x8000_0000n + 5n * 4096n - 2n, 4);
  t.deepEqual([...bytes], [0, 0, 5, 0]);
  await t.throwsAsync(run.hart.readRam(0x8000_0000n - 1n, 4), { code: 'USAGE' });
  await t.throwsAsync(run.hart.readRam(0x8000_0000n + 64n * 4096n - 2n, 4), { code: 'USAGE' });
});

test.serial('a worker that throws is fatal, and pending questions are refused', async (t) => {
  const run = await HostRun.start(t, { role: REPLAY });
  // Input is an order that a replaying host can't have been given by a sound program.
  run.hart.sendConsoleInput({ stream: 'uart', client: 0n, sequence: 0n, bytes: new Uint8Array(1) });
  const question = run.hart.inspect();
  await t.throwsAsync(question, { message: /input for a host that replays/ });
  await t.throwsAsync(
    run.until(() => false),
    { message: /input for a host that replays/ },
  );
  await t.throwsAsync(run.hart.inspect());
});

test.serial('a damaged snapshot is refused at the start', async (t) => {
  const error = await t.throwsAsync(
    HartHost.start({
      config: TOY_CONFIG,
      images: TOY_IMAGES,
      machineFactory: new URL('../../support/toy-machine.js', import.meta.url).href,
      start: { kind: 'snapshot', snapshot: new Uint8Array(100) },
      role: RECORD,
      listener: { onFatal: () => t.fail() },
    }),
    { instanceOf: LockstepError },
  );
  t.is(error.code, 'BAD_SNAPSHOT');
});

test.serial('a listener that throws is fatal, with its own error', async (t) => {
  const reason = new LockstepError('IO', 'the disk is full');
  const fatal = new Promise<Error>((resolve, reject) => {
    HartHost.start({
      config: TOY_CONFIG,
      images: TOY_IMAGES,
      machineFactory: new URL('../../support/toy-machine.js', import.meta.url).href,
      start: { kind: 'boot' },
      role: RECORD,
      listener: {
        onEntries: () => {
          throw reason;
        },
        onFatal: resolve,
      },
    }).then((host) => t.teardown(() => host.stop()), reject);
  });
  t.is(await fatal, reason);
});
