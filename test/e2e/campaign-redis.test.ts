/**
 * Goal: what the redis campaign believes is right: histories that one list or one register explains
 * pass, every planted anomaly is found; and the campaign itself runs.
 * Method: random histories of a model with one change planted in each; then a few kills.
 */

import { spawnSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import { debianImage } from '../support/debian.js';
import { RedisCampaign } from '../support/campaign-redis.js';
import {
  checkAppends,
  checkRegister,
  type Append,
  type RegisterUse,
} from '../support/client-histories.js';
import { Random } from '../support/random.js';
import { REDIS_FOLDER, REDIS_PACKAGES } from '../support/redis-image.js';

const HISTORIES = 200;
/** Those in which nobody has to find out by silence that another is gone. */
const STRIKES = ['kill', 'backup', 'arbiter', 'switch'] as const;

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
    if (append !== undefined) appends[at] = { ...append, length: (append.length ?? 0) + 1 };
  },
  'acknowledged before its predecessor was sent': ({ appends }, at) => {
    const [one, next] = [appends[at], appends[at + 1]];
    if (one === undefined || next === undefined) return;
    appends[at + 1] = { ...next, sentMs: one.sentMs - 9, answeredMs: one.sentMs - 5 };
  },
};

/** Takes the answers from some appends, and what some of those did with them. */
function forget({ appends, list }: AppendHistory, random: Random): AppendHistory {
  const dropped = new Set<string>();
  const kept = appends.map((append) => {
    if (random.below(5) > 0) return append;
    if (random.below(2) === 0) dropped.add(append.value);
    return { ...append, answeredMs: Infinity, length: null };
  });
  const left = list.filter((value) => !dropped.has(value));
  // The lengths that were answered are those of the list without what never happened.
  const lengthOf = (value: string): number => left.indexOf(value) + 1;
  const told = kept.map((one) =>
    one.length === null ? one : { ...one, length: lengthOf(one.value) },
  );
  return { appends: told, list: left };
}

test('appends whose answer never came may stand in the list, once, or not at all', (t) => {
  let doubled = 0;
  for (let seed = 1; seed <= HISTORIES; seed++) {
    const random = new Random(seed);
    const { appends, list } = forget(appendHistory(random), random);
    t.is(checkAppends(appends, list), null, `seed ${seed}`);
    const unanswered = appends.find(({ length, value }) => length === null && list.includes(value));
    if (unanswered === undefined) continue;
    doubled += 1;
    t.not(checkAppends(appends, [...list, unanswered.value]), null, `seed ${seed}: doubled`);
    const early = appends.map((append) =>
      append === unanswered ? { ...append, sentMs: 100_000 } : append,
    );
    const isLast = list.at(-1) === unanswered.value;
    if (!isLast) t.not(checkAppends(early, list), null, `seed ${seed}: stands before it was sent`);
  }
  t.true(doubled > HISTORIES / 2);
});

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
    const unread = { kind: 'write', value: 'y', sentMs: 1, answeredMs: Infinity } as const;
    t.is(checkRegister([...honest, unread]), null, `seed ${seed}: never read`);
    const seen = { kind: 'read', value: 'y', sentMs: 2_000, answeredMs: 2_001 } as const;
    t.is(checkRegister([...honest, unread, seen]), null, `seed ${seed}: read late`);
    const lastSeen = { ...seen, sentMs: -20, answeredMs: -19 };
    t.not(checkRegister([...honest, unread, lastSeen]), null, `seed ${seed}: read too early`);
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

test('redis survives what strikes its pair, and every answer stays true', async (t) => {
  const image = await debianImage(t, { folder: REDIS_FOLDER, packages: REDIS_PACKAGES });
  if (image === null) return;
  const campaign = new RedisCampaign({
    image,
    seed: 1,
    strikes: STRIKES,
    loadMs: 500,
    minRate: 1,
  });
  try {
    await campaign.start();
    askWithRedisCli(t, campaign.port);
    await campaign.run(STRIKES.length);
    askWithRedisCli(t, campaign.port);
  } finally {
    await campaign.close(false);
  }
  t.is(campaign.records.length, STRIKES.length);
  t.true(campaign.load.answered > 200);
});
