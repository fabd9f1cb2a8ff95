/**
 * Goal: the `log` commands say what is in a log, and damage has its exit status and its place.
 * Method: the real command on small logs; golden lines for every kind of event.
 */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { encodeBatch } from '../../lib/event/batch.js';
import type { LogEvent } from '../../lib/event/event.js';
import { segmentName } from '../../lib/host/log-store/segment.js';
import { sha256 } from '../../lib/host/log-store/sha256.js';
import { LogWriter } from '../../lib/host/log-store/writer.js';
import { META, smallLog, temporaryDirectory } from '../unit/host/log-store/fixture.js';

const LOCKSTEP = fileURLToPath(new URL('../../tools/lockstep.js', import.meta.url));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function lockstep(...words: readonly string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LOCKSTEP, ...words], {
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** One event of every kind, over a virtual second: 100 million steps at the default rate. */
const EVENTS: readonly LogEvent[] = [
  { kind: 'epoch', epoch: 1n },
  { kind: 'entropy', hart: 0, step: 10n, bytes: new Uint8Array([1, 2, 255]) },
  {
    kind: 'console-input',
    hart: 0,
    step: 20n,
    stream: 'uart',
    client: 7n,
    sequence: 1n,
    bytes: new TextEncoder().encode('ls\r\u00e4'),
  },
  { kind: 'interrupt', hart: 0, step: 25n, cause: 9 },
  { kind: 'output-mark', hart: 0, step: 30n, stream: 'uart', offset: 5n, digest: 0xabcn },
  {
    kind: 'state-hash',
    hart: 0,
    step: 30n,
    hash: 0x123n,
    words: [[3, 5n]],
    pages: [[17, 0xffn]],
  },
  { kind: 'rebase', hart: 0, step: 50_000_000n, rate: (1n << 32n) / 5n },
  { kind: 'wake', hart: 0, step: 50_000_000n, time: 10_000_000n },
  {
    kind: 'steal',
    hart: 0,
    step: 50_000_001n,
    page: 4,
    mode: 'write',
    byDevice: false,
    victims: [],
  },
  { kind: 'horizon', steps: [100_000_000n] },
  { kind: 'control', hart: 0, step: 100_000_000n, action: 'power-off' },
];

async function logOfEveryKind(t: ExecutionContext): Promise<string> {
  const directory = join(temporaryDirectory(t), 'log');
  const writer = LogWriter.create(directory, META, { flush: 'memory' });
  const entries = EVENTS.map((event, index) => ({ seq: BigInt(index + 1), event }));
  for (const part of [entries.slice(0, 6), entries.slice(6)]) {
    writer.append(encodeBatch(part, 1n, writer.position.hash, sha256));
  }
  await writer.close();
  return directory;
}

test('dump prints one line an entry, in fixed columns', async (t) => {
  const { status, stdout, stderr } = lockstep('log', 'dump', await logOfEveryKind(t));
  t.deepEqual(
    stdout.split('\n'),
    [
      '       seq epoch hart             step kind           detail',
      '         1     1    -                - epoch          epoch=1',
      '         2     1    0               10 entropy        3B 0102ff',
      '         3     1    0               20 console-input  uart client=7 sequence=1 5B "ls\\r\\u00c3\\u00a4"',
      '         4     1    0               25 interrupt      cause=9',
      '         5     1    0               30 output-mark    uart offset=5 digest=0000000000000abc',
      '         6     1    0               30 state-hash     hash=0000000000000123 words=1 pages=1',
      '         7     1    0         50000000 rebase         rate=858993459',
      '         8     1    0         50000000 wake           time=10000000',
      '         9     1    0         50000001 steal          page=4 write victims=-',
      '        10     1    -                - horizon        steps=100000000',
      '        11     1    0        100000000 control        power-off',
      '',
    ],
    stderr,
  );
  t.is(status, 0);
});

test('dump selects by sequence number and kind, and prints JSON', async (t) => {
  const directory = await logOfEveryKind(t);
  const ranged = lockstep('log', 'dump', directory, '--from', '3', '--to', '4', '--json');
  t.deepEqual(
    ranged.stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line)),
    [
      {
        seq: '3',
        batchEpoch: '1',
        kind: 'console-input',
        hart: 0,
        step: '20',
        stream: 'uart',
        client: '7',
        sequence: '1',
        bytes: '6c730dc3a4',
      },
      { seq: '4', batchEpoch: '1', kind: 'interrupt', hart: 0, step: '25', cause: 9 },
    ],
  );
  const kinds = lockstep('log', 'dump', directory, '--kind', 'wake,rebase', '--json');
  t.is(kinds.stdout.trim().split('\n').length, 2);
  const wrong = lockstep('log', 'dump', directory, '--kind', 'wakes');
  t.is(wrong.status, 2);
  t.regex(wrong.stderr, /no event kind "wakes"; did you mean wake\?/);
});

test('stat tells counts, steps, virtual duration and rate', async (t) => {
  const directory = await logOfEveryKind(t);
  const { status, stdout } = lockstep('log', 'stat', directory, '--json');
  t.is(status, 0);
  const answer = JSON.parse(stdout) as Record<string, unknown>;
  t.is(answer['entries'], 11);
  t.is(answer['batches'], 2);
  t.is(answer['lastSeq'], '11');
  t.deepEqual(answer['steps'], ['100000000']);
  t.deepEqual(answer['epochs'], ['1']);
  // A wake sets one second, then 50 million steps at twice the default rate are another.
  t.is(answer['virtualSeconds'], 1.9999999);
  const total = Number(answer['totalBytes']);
  t.is(answer['bitsPerMillionSteps'], (total * 8) / 100);
  const kinds = answer['kinds'] as Record<string, { count: number; bytes: number }>;
  t.is(Object.keys(kinds).length, 11);
  const sum = Object.values(kinds).reduce((bytes, kind) => bytes + kind.bytes, 0);
  t.is(sum + Number(answer['overheadBytes']) - Number(answer['savedBytes']), total);
  t.regex(lockstep('log', 'stat', directory).stdout, /state-hash +1 +\d+\n/);
});

test('verify tells the head of the chain of a sound log', async (t) => {
  const directory = await logOfEveryKind(t);
  const { status, stdout } = lockstep('log', 'verify', directory);
  t.is(status, 0);
  t.regex(stdout, /sound\nentries +11 \(1\.\.11\) in 2 batches\nepochs +1\ntorn tail +none\n/);
  t.regex(stdout, /chain head +[0-9a-f]{64}\n/);
});

test('verify tells the place of damage and exits with 4', async (t) => {
  const { directory } = await smallLog(t, 9);
  const path = join(directory, segmentName(2));
  const bytes = readFileSync(path);
  bytes[200] = (bytes[200] ?? 0) ^ 4;
  writeFileSync(path, bytes);
  const text = lockstep('log', 'verify', directory);
  t.is(text.status, 4);
  t.is(text.stdout, '');
  t.regex(text.stderr, /^lockstep: BAD_LOG: .*00000002\.seg: damaged at byte \d+, sequence/);
  const json = lockstep('log', 'verify', directory, '--json');
  t.is(json.status, 4);
  const answer = JSON.parse(json.stdout) as Record<string, unknown>;
  t.is(answer['sound'], false);
  t.is(answer['file'], path);
  const dump = lockstep('log', 'dump', directory);
  t.is(dump.status, 4);
  t.true(dump.stdout.split('\n').length > 5, 'what came before the damage is printed');
});

test('a torn tail is told and is no damage', async (t) => {
  const { directory } = await smallLog(t, 3, 4000);
  const path = join(directory, segmentName(1));
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.length - 1));
  const verify = lockstep('log', 'verify', directory);
  t.is(verify.status, 0);
  t.regex(verify.stdout, /torn tail +\d+ bytes/);
  t.regex(lockstep('log', 'dump', directory).stderr, /a torn tail of \d+ bytes is left out/);
});

test('a missing log is IO with exit status 11', (t) => {
  const { status, stderr } = lockstep('log', 'stat', '/nonexistent');
  t.is(status, 11);
  t.regex(stderr, /^lockstep: IO: cannot open \/nonexistent: no such file or directory/);
});

test('a reader that goes away ends the command quietly', async (t) => {
  const { directory } = await smallLog(t, 400, 1_000_000);
  const script = '"$0" "$1" log dump "$2" | head -n 1';
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', script, process.execPath, LOCKSTEP, directory],
    {
      encoding: 'utf8',
    },
  );
  t.regex(stdout, /^ +seq epoch/);
  t.is(stderr, '');
});
