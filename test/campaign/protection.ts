/**
 * `npm run campaign:protection`: what a backup costs the primary, and its clients: the same work
 * with and without one in turn (test/support/protection-cost.ts). Exit status 1 where a promise of
 * docs/SPECIFICATION.md falls short.
 *
 * Each backup does the work twice. The first time it compiles the guest's code, as the machine did
 * before the first round; what that costs is told on its own.
 *
 * Two hardware threads of one core take processor time from each other, and with a backup both are
 * busy. How much of a figure is that is told by the same work without a backup, beside a process
 * that only keeps the other thread busy.
 */

import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { median } from '../bench/statistics.js';
import { currentLoad } from '../support/campaign-figures.js';
import { runCampaign } from '../support/campaign-main.js';
import { distribution } from '../support/campaign-summary.js';
import { ProtectionCost, type Phase, type Round } from '../support/protection-cost.js';
import { buildRedisImage } from '../support/redis-image.js';

/** Times the processor seconds of the primary without a backup. */
const COMPUTE_TIMES = 1.05;
const REDIS_TIMES = 1.18;
/** Bytes of log for each byte that came from the network. */
const LOG_TIMES = 1.3;
const LAG_P99_MS = 100;

const command: Command = {
  usage: ['campaign:protection -- [--rounds N] [--requests N] [--json]'],
  description:
    'Measures what a backup costs: a loop in a shell and redis-benchmark on one machine, with ' +
    'and without a backup in turn.',
  options: {
    rounds: { type: 'string', value: 'N', help: 'with and without, each (5)' },
    requests: { type: 'string', value: 'N', help: 'of redis-benchmark, SET and GET each (10000)' },
    json: { type: 'boolean', help: 'the figures as one JSON object' },
  },
  run: measure,
};

interface Pair {
  readonly alone: Round;
  /** Without a backup, beside a process that spins. */
  readonly beside: Round;
  /** With a backup that has just joined. */
  readonly joined: Round;
  /** With the same backup, the same work once more. */
  readonly guarded: Round;
}

interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** At most; null for what is only told. */
  readonly limit: number | null;
}

async function measure(args: Arguments): Promise<number> {
  const rounds = args.integer('rounds', 1, 1_000) ?? 5;
  const requests = args.integer('requests', 100, 10_000_000) ?? 10_000;
  const cost = new ProtectionCost({ image: await buildRedisImage(say), requests });
  const pairs: Pair[] = [];
  try {
    say('boots Debian, and lets it get warm');
    await cost.start();
    for (let number = 1; number <= rounds; number++) {
      const alone = await cost.round();
      const beside = await cost.besideSpinner(() => cost.round());
      const [joined, guarded] = await cost.protectedBy(async () => {
        const first = await cost.round();
        return [first, await cost.round()] as const;
      });
      pairs.push({ alone, beside, joined, guarded });
      say(`${number}/${rounds}  ${[alone, beside, joined, guarded].map(lineOf).join('  |  ')}`);
    }
  } finally {
    await cost.close();
  }
  const figures = figuresOf(pairs);
  if (args.flag('json')) process.stdout.write(`${toJsonLine({ figures, pairs })}\n`);
  else process.stdout.write(`${figures.map(textOf).join('\n')}\nload ${currentLoad()}\n`);
  return figures.every(({ value, limit }) => limit === null || value <= limit) ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function lineOf({ compute, set, get }: Round): string {
  const times = [compute, set, get].map(
    ({ cpuSeconds, wallSeconds }) => `${cpuSeconds.toFixed(2)}/${wallSeconds.toFixed(2)} s`,
  );
  return `loop ${times[0]}  SET ${times[1]}  GET ${times[2]}`;
}

function figuresOf(pairs: readonly Pair[]): readonly Figure[] {
  const ratio = (name: string, of: (round: Round) => number, limit: number | null): Figure => {
    const ratios = pairs.map(({ alone, guarded }) => of(guarded) / of(alone));
    return { name, value: median(ratios), unit: 'times', limit };
  };
  const told = (name: string, unit: string, of: (pair: Pair) => number): Figure => ({
    name,
    value: median(pairs.map(of)),
    unit,
    limit: null,
  });
  const joined = (name: string, of: (round: Round) => number): Figure =>
    told(name, 'times', ({ alone, joined: first }) => of(first) / of(alone));
  const neighbour = (name: string, of: (round: Round) => number): Figure =>
    told(name, 'times', ({ alone, beside }) => of(beside) / of(alone));
  const redisCpu = ({ set, get }: Round): number => set.cpuSeconds + get.cpuSeconds;
  const lag = distribution(pairs.flatMap(({ guarded }) => guarded.lagSeconds.map(inMs)));
  const logTimes = ({ guarded: { set, get } }: Pair): number =>
    (set.logBytes + get.logBytes) / (set.receivedBytes + get.receivedBytes);
  return [
    ratio('processor time of the loop', ({ compute }) => compute.cpuSeconds, COMPUTE_TIMES),
    ratio('processor time of SET and GET', redisCpu, REDIS_TIMES),
    { ...told('log a received byte', 'bytes', logTimes), limit: LOG_TIMES },
    { name: 'lag p99', value: lag.p99, unit: 'ms', limit: LAG_P99_MS },
    { name: 'lag p50', value: lag.p50, unit: 'ms', limit: null },
    neighbour('loop, no backup, a busy neighbour', ({ compute }) => compute.cpuSeconds),
    neighbour('SET and GET, the same', redisCpu),
    joined('loop, right after a join', ({ compute }) => compute.cpuSeconds),
    joined('SET and GET, right after a join', redisCpu),
    ratio('wall time of the loop', ({ compute }) => compute.wallSeconds, null),
    ratio('wall time of SET', ({ set }) => set.wallSeconds, null),
    ratio('wall time of GET', ({ get }) => get.wallSeconds, null),
    told('SET p50 alone', 'ms', ({ alone }) => alone.set.p50Ms),
    told('SET p50 protected', 'ms', ({ guarded }) => guarded.set.p50Ms),
    told('SET p99 alone', 'ms', ({ alone }) => alone.set.p99Ms),
    told('SET p99 protected', 'ms', ({ guarded }) => guarded.set.p99Ms),
    told('processor time of the loop alone', 's', ({ alone }) => seconds(alone.compute)),
    told('processor time of SET and GET alone', 's', ({ alone }) => redisCpu(alone)),
  ];
}

function inMs(value: number): number {
  return value * 1000;
}

function seconds({ cpuSeconds }: Phase): number {
  return cpuSeconds;
}

function textOf({ name, value, unit, limit }: Figure): string {
  const promise =
    limit === null ? '' : `  (at most ${limit}: ${value <= limit ? 'kept' : 'FALLS SHORT'})`;
  return `${name.padEnd(38)} ${value.toPrecision(3)} ${unit}${promise}`;
}

await runCampaign(command);
