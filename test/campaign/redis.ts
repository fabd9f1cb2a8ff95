/**
 * `npm run campaign:redis -- --kills N`: kills the primary N times under Debian's redis-server,
 * with clients whose connections are never made again (test/support/campaign-redis.ts says how).
 * Exit status 1, and the folder kept, at the first promise that does not hold.
 */

import { performance } from 'node:perf_hooks';
import { LockstepError } from '../../lib/base/error.js';
import {
  buildDebianImage,
  defaultCacheFolder,
  type DebianImage,
} from '../../lib/host/image/debian-image.js';
import { DEBIAN_KEYRING } from '../../lib/host/image/release.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { Broken } from '../support/campaign-checks.js';
import { runCampaign } from '../support/campaign-main.js';
import { REDIS_FOLDER, REDIS_PACKAGES, RedisCampaign } from '../support/campaign-redis.js';
import { distribution } from '../support/campaign-summary.js';

const command: Command = {
  usage: ['campaign:redis -- [--kills N] [--seed S] [--load-ms N] [--min-rate N] [--json]'],
  description: "Kills the primary under Debian's redis-server, and checks every answer.",
  options: {
    kills: { type: 'string', value: 'N', help: 'how often the primary is killed (10)' },
    seed: { type: 'string', value: 'S', help: 'of the moments of the kills (1)' },
    'load-ms': { type: 'string', value: 'N', help: 'load before each kill, at least (1000)' },
    'min-rate': { type: 'string', value: 'N', help: 'appends a second before each kill (20)' },
    json: { type: 'boolean', help: 'the summary as one JSON object' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const wanted = args.integer('kills', 1, 1_000_000) ?? 10;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const redis = new RedisCampaign({
    image: await redisImage(say),
    seed,
    loadMs: args.integer('load-ms', 100, 600_000) ?? 1_000,
    minRate: args.integer('min-rate', 1, 1_000_000) ?? 20,
    onKill: ({ number, pauseMs, rate, answered }) =>
      say(
        `${String(number).padStart(String(wanted).length)}/${wanted}  pause ` +
          `${pauseMs.toFixed(0)} ms  ${rate.toFixed(0)} appends/s  answered ${answered}`,
      ),
  });
  const startMs = performance.now();
  let fault: string | null = null;
  try {
    await redis.start();
    await redis.run(wanted);
  } catch (error) {
    if (!(error instanceof Broken || error instanceof LockstepError)) throw error;
    fault = error.message;
  } finally {
    await redis.close(fault !== null);
  }
  const seconds = (performance.now() - startMs) / 1000;
  report(args, { wanted, seed, seconds, fault }, redis);
  if (fault !== null && redis.fleet !== null) say(`kept: ${redis.fleet.folder}`);
  return fault === null ? 0 : 1;
}

/** Debian with redis-server and what it depends on. */
function redisImage(say: (text: string) => void): Promise<DebianImage> {
  return buildDebianImage(
    {
      mirror: null,
      cacheFolder: defaultCacheFolder(),
      outputFolder: REDIS_FOLDER,
      keyring: DEBIAN_KEYRING,
      packages: REDIS_PACKAGES,
      script: null,
      rootDiskBytes: null,
      refresh: false,
    },
    { stage: say, progress: () => undefined, note: say },
  );
}

function report(
  args: Arguments,
  run: { wanted: number; seed: number; seconds: number; fault: string | null },
  redis: RedisCampaign,
): void {
  const pause = distribution(redis.kills.map(({ pauseMs }) => pauseMs));
  const latency = distribution(redis.latenciesMs);
  const leastRate = redis.kills.length === 0 ? 0 : Math.min(...redis.kills.map(({ rate }) => rate));
  const kills = redis.kills.length;
  const { answered } = redis;
  if (args.flag('json')) {
    process.stdout.write(`${toJsonLine({ ...run, kills, answered, leastRate, pause, latency })}\n`);
    return;
  }
  const times = ({ p50, p99, max }: typeof pause): string =>
    `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`;
  const lines = [
    `redis: ${kills} of ${run.wanted} kills, seed ${run.seed}, ${run.seconds.toFixed(0)} s`,
    `${answered} answers on three connections, none of them ever reset or made again; at least ` +
      `${leastRate.toFixed(0)} appends a second before each kill`,
    `  longest pause after a kill  ${times(pause)}`,
    `  latency of an answer        ${times(latency)}`,
    run.fault === null ? 'Everything held.' : `NOT KEPT: ${run.fault}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await runCampaign(command);
