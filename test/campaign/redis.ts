/**
 * `npm run campaign:redis -- --strikes N --faults A,B`: strikes N times at a pair under Debian's
 * redis-server, with clients whose connections are never made again (test/support/campaign-redis.ts
 * says how). Exit status 1, and the folder kept, at the first promise that does not hold.
 */

import { performance } from 'node:perf_hooks';
import { LockstepError } from '../../lib/base/error.js';
import { nearestName, type Arguments, type Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { Broken, insist } from '../support/campaign-checks.js';
import { runCampaign } from '../support/campaign-main.js';
import { RedisCampaign } from '../support/campaign-redis.js';
import { distribution, type Distribution } from '../support/campaign-summary.js';
import { EtcdCluster, findEtcd } from '../support/etcd.js';
import { buildRedisImage } from '../support/redis-image.js';
import { isStrikeName, STRIKE_NAMES, STRIKES, type StrikeName } from '../support/redis-strikes.js';

/** Members of the etcd of `--etcd`. */
const ETCD_MEMBERS = 3;
/** Pauses are held to what is promised of them where there are so many. */
const JUDGED_FROM = 20;
const PAUSE_PROMISES: Partial<Record<StrikeName, { readonly p50: number; readonly p99: number }>> =
  { kill: { p50: 250, p99: 500 }, stop: { p50: 1_500, p99: 1_500 } };

const command: Command = {
  usage: [
    'campaign:redis -- [--strikes N] [--faults A,B|all] [--etcd] [--seed S] [--load-ms N] ' +
      '[--min-rate N] [--json]',
  ],
  description:
    "Strikes at a pair under Debian's redis-server, and checks every answer. What --faults takes, " +
    `in turn:\n\n${STRIKE_NAMES.map((name) => `  ${name.padEnd(9)} ${STRIKES[name].help}`).join('\n')}`,
  options: {
    strikes: { type: 'string', value: 'N', help: 'how often the pair is struck (10)' },
    faults: { type: 'string', value: 'A,B', help: 'how, in turn, or `all` (kill)' },
    etcd: { type: 'boolean', help: `an etcd of ${ETCD_MEMBERS} members as arbiter` },
    seed: { type: 'string', value: 'S', help: 'of the moments of the strikes (1)' },
    'load-ms': { type: 'string', value: 'N', help: 'load before each strike, at least (1000)' },
    'min-rate': { type: 'string', value: 'N', help: 'appends a second before each strike (20)' },
    json: { type: 'boolean', help: 'the summary as one JSON object' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const wanted = args.integer('strikes', 1, 1_000_000) ?? 10;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  const strikes = strikesOf(args.list('faults') ?? ['kill']);
  const loadMs = args.integer('load-ms', 100, 600_000) ?? 1_000;
  const minRate = args.integer('min-rate', 1, 1_000_000) ?? 20;
  const image = await buildRedisImage(say);
  const etcd = args.flag('etcd') ? await startEtcd() : null;
  const redis = new RedisCampaign({
    image,
    seed,
    strikes,
    etcd,
    loadMs,
    minRate,
    onStrike: ({ number, name, pauseMs, rate, answered }) =>
      say(
        `${String(number).padStart(String(wanted).length)}/${wanted}  ${name.padEnd(8)}  pause ` +
          `${pauseMs.toFixed(0)} ms  ${rate.toFixed(0)} appends/s  answered ${answered}`,
      ),
  });
  const startMs = performance.now();
  let fault: string | null = null;
  try {
    await redis.start();
    await redis.run(wanted);
    judge(redis);
  } catch (error) {
    if (!(error instanceof Broken || error instanceof LockstepError)) throw error;
    fault = error.message;
  } finally {
    await redis.close(fault !== null);
    await etcd?.close();
  }
  const seconds = (performance.now() - startMs) / 1000;
  report(args, { wanted, seed, etcd: etcd !== null, seconds, fault }, redis);
  if (fault !== null && redis.fleet !== null) say(`kept: ${redis.fleet.folder}`);
  return fault === null ? 0 : 1;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function strikesOf(names: readonly string[]): readonly [StrikeName, ...StrikeName[]] {
  const wanted: string[] = names.flatMap((name) => (name === 'all' ? [...STRIKE_NAMES] : [name]));
  const [first, ...rest] = wanted.map((name) => {
    if (isStrikeName(name)) return name;
    const hint = nearestName(name, STRIKE_NAMES);
    const suggestion = hint === undefined ? STRIKE_NAMES.join(', ') : `did you mean ${hint}?`;
    throw new LockstepError('USAGE', `--faults: no "${name}"; ${suggestion}`);
  });
  if (first === undefined) throw new LockstepError('USAGE', '--faults: nothing to do');
  return [first, ...rest];
}

async function startEtcd(): Promise<EtcdCluster> {
  const program = await findEtcd();
  if (program === null) throw new LockstepError('USAGE', '--etcd: etcd is not installed');
  return EtcdCluster.start(program, ETCD_MEMBERS);
}

function pausesOf(redis: RedisCampaign, name: StrikeName): Distribution {
  const records = redis.records.filter((record) => record.name === name);
  return distribution(records.map(({ pauseMs }) => pauseMs));
}

/** Errors: Broken, where the pauses after one kind of strike are longer than is promised. */
function judge(redis: RedisCampaign): void {
  for (const name of STRIKE_NAMES) {
    const promise = PAUSE_PROMISES[name];
    const { count, p50, p99 } = pausesOf(redis, name);
    if (promise === undefined || count < JUDGED_FROM) continue;
    insist(p50 <= promise.p50, `${name}: pause p50 ${p50.toFixed(0)} ms, ${promise.p50} promised`);
    insist(p99 <= promise.p99, `${name}: pause p99 ${p99.toFixed(0)} ms, ${promise.p99} promised`);
  }
}

interface RunFacts {
  readonly wanted: number;
  readonly seed: number;
  readonly etcd: boolean;
  readonly seconds: number;
  readonly fault: string | null;
}

function report(args: Arguments, run: RunFacts, redis: RedisCampaign): void {
  const { records, load } = redis;
  const struck = STRIKE_NAMES.filter((name) => records.some((record) => record.name === name));
  const pauses = Object.fromEntries(struck.map((name) => [name, pausesOf(redis, name)]));
  const latency = distribution(load.latenciesMs);
  const leastRate = records.length === 0 ? 0 : Math.min(...records.map(({ rate }) => rate));
  const { answered, connections } = load;
  if (args.flag('json')) {
    const strikes = records.length;
    const facts = { ...run, strikes, answered, connections, leastRate, pauses, latency };
    process.stdout.write(`${toJsonLine(facts)}\n`);
    return;
  }
  const times = ({ p50, p99, max }: Distribution): string =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`;
  const made = connections === 3 ? 'never reset or made again' : `made ${connections} times`;
  const lines = [
    `redis: ${records.length} of ${run.wanted} strikes, seed ${run.seed}, arbiter ` +
      `${run.etcd ? 'etcd' : 'file'}, ${run.seconds.toFixed(0)} s`,
    `${answered} answers on three connections, ${made}; at least ${leastRate.toFixed(0)} appends ` +
      'a second before each strike',
    'longest pause after',
    ...struck.map((name) => {
      const pause = pausesOf(redis, name);
      return `  ${name.padEnd(8)} ${String(pause.count).padStart(5)} times  ${times(pause)}`;
    }),
    `latency of an answer        ${times(latency)}`,
    run.fault === null ? 'Everything held.' : `NOT KEPT: ${run.fault}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await runCampaign(command);
