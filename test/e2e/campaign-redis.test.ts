/**
 * Goal: what the redis campaign believes is right: histories that one list or one register explains
 * pass, every planted anomaly is found; and the campaign itself runs.
 * Method: random histories of a model with one change planted in each; then a few kills.
 */

import { spawnSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import { debianImage } from '../support/debian.js';
import { REDIS_FOLDER, REDIS_PACKAGES, RedisCampaign } from '../support/campaign-redis.js';
import {
  checkAppends,
  checkRegister,
  type Append,
  type RegisterUse,
} from '../support/client-histories.js';
import { Random } from '../support/random.js';

const HISTORIES = 200;

interface AppendHistory {
  readonly appends: Append[];
  readonly list: string[];
}

/** Appends that overlap, as those of several clients do; each takes effect on its way. */
function appendHistory(random: Random): AppendHistory {
  const appends: Append[] = [];
  const list: string[] = [];
  let atMs = 0;
  for (let count = 0; count < 30; count++) {
    atMs += 1 + random.below(10);
    list.push(`v${count}`);
    appends.push({
      value: `v${count}`,
      sentMs: atMs - random.below(30),
      answeredMs: atMs + random.below(30),
      length: list.length,
    });
  }
  return { appends, list };
}

const APPEND_ANOMALIES: Readonly<Record<string, (history: AppendHistory, at: number) => void>> = {
  lost: ({ list }, at) => void list.splice(at, 1),
  doubled: ({ list }, at) => void list.push(list[at] ?? ''),
  'doubled in place': ({ list }, at) => void list.splice(at, 0, list[at] ?? ''),
  swapped: ({ list }, at) => {
    list.splice(at, 2, list[at + 1] ?? '', list[at] ?? '');
  },
  'from nowhere': ({ list }) => void list.push('x'),
  'answered with another length': ({ appends }, at) => {
    const append = appends[at];
    if (append !== undefined) appends[at] = { ...append, length: append.length + 1 };
  },
  'acknowledged before its predecessor was sent': ({ appends }, at) => {
    const [one, next] = [appends[at], appends[at + 1]];
    if (one === undefined || next === undefined) return;
    appends[at + 1] = { ...next, sentMs: one.sentMs - 9, answeredMs: one.sentMs - 5 };
  },
};

test('a list explains an honest history, and no planted anomaly', (t) => {
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const random = new Random(seed);
    const honest = appendHistory(random);
    t.is(checkAppends(honest.appends, honest.list), null, `seed ${seed}`);
    for (const [name, plant] of Object.entries(APPEND_ANOMALIES)) {
      const history = { appends: [...honest.appends], list: [...honest.list] };
      plant(history, random.below(29));
      t.not(checkAppends(history.appends, history.list), null, `seed ${seed}: ${name}`);
    }
  }
});

/** Uses of a register in the order in which they take effect, at the time between the two given. */
function registerHistory(random: Random): RegisterUse[] {
  const uses: RegisterUse[] = [];
  let value: string | null = null;
  let atMs = 0;
  for (let count = 0; count < 40; count++) {
    atMs += 20;
    const kind = random.below(2) === 0 ? 'write' : 'read';
    if (kind === 'write') value = `v${count}`;
    const sentMs = atMs - random.below(30);
    uses.push({ kind, value, sentMs, answeredMs: atMs + random.below(30) });
  }
  return uses;
}

/** Makes a read late in the history see a value that two later writes had replaced. */
function plantStaleRead(uses: RegisterUse[], random: Random): boolean {
  const writes = uses.filter(({ kind }) => kind === 'write');
  const at = random.below(Math.max(1, writes.length - 3));
  const stale = writes[at];
  const newer = writes[at + 1];
  const last = uses.at(-1);
  if (stale === undefined || newer === undefined || last === undefined) return false;
  const fromMs = Math.max(last.answeredMs, newer.answeredMs, stale.answeredMs) + 1;
  uses.push({ kind: 'read', value: stale.value, sentMs: fromMs, answeredMs: fromMs + 1 });
  return newer.sentMs > stale.answeredMs;
}

test('a register explains an honest history, and no stale or invented read', (t) => {
  let planted = 0;
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const random = new Random(seed);
    const honest = registerHistory(random);
    t.is(checkRegister(honest), null, `seed ${seed}`);
    const invented = { kind: 'read', value: 'x', sentMs: 1, answeredMs: 2 } as const;
    t.not(checkRegister([...honest, invented]), null, `seed ${seed}: invented`);
    const stale = [...honest];
    if (!plantStaleRead(stale, random)) continue;
    planted += 1;
    t.not(checkRegister(stale), null, `seed ${seed}: stale`);
  }
  t.true(planted > HISTORIES / 4);
});

/** Debian's own client, where it is installed, through the same forwarded port. */
function askWithRedisCli(t: ExecutionContext, port: number): void {
  const words = ['-p', String(port), 'exists', 'list'];
  const { error, stdout, stderr } = spawnSync('redis-cli', words, { encoding: 'utf8' });
  if (error !== undefined) t.log(`skipped: no redis-cli (${error.message})`);
  else t.is(stdout, '1\n', stderr);
}

test('redis survives its primary, and every answer stays true', async (t) => {
  const image = await debianImage(t, { folder: REDIS_FOLDER, packages: REDIS_PACKAGES });
  if (image === null) return;
  const campaign = new RedisCampaign({ image, seed: 1, loadMs: 500, minRate: 1 });
  try {
    await campaign.start();
    askWithRedisCli(t, campaign.port);
    await campaign.run(2);
    askWithRedisCli(t, campaign.port);
  } finally {
    await campaign.close(false);
  }
  t.is(campaign.kills.length, 2);
  t.true(campaign.answered > 200);
});
