/**
 * `npm run campaign:kills -- --kills N [--guest ledger|debian] [--seed S]`: kills the primary of a
 * real pair N times under a client that runs transactions without pause, and checks every takeover
 * (test/support/campaign-kills.ts says how). Exit status 1, and the folder kept, at the first
 * promise that does not hold.
 */

import { performance } from 'node:perf_hooks';
import { LockstepError } from '../../lib/base/error.js';
import { MAX_HARTS } from '../../lib/machine/config.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { Broken } from '../support/campaign-checks.js';
import { debianGuest, ledgerGuest, type CampaignGuest } from '../support/campaign-guests.js';
import {
  KILL_KINDS,
  KillCampaign,
  LOG_CHECKS,
  type KillRecord,
} from '../support/campaign-kills.js';
import { summarize, type Summary } from '../support/campaign-summary.js';

const command: Command = {
  usage: [
    'campaign:kills -- [--kills N] [--guest ledger|debian] [--harts N [--parallel]] [--seed S]',
  ],
  description: 'Kills the primary again and again, and checks that nothing is lost.',
  options: {
    kills: { type: 'string', value: 'N', help: 'how often the primary is killed (100)' },
    guest: { type: 'string', value: 'ledger|debian', help: 'what runs on the machine (ledger)' },
    harts: { type: 'string', value: 'N', help: 'harts of the Debian guest, all with work (1)' },
    parallel: { type: 'boolean', help: 'they run on a thread each, not by turns' },
    seed: { type: 'string', value: 'S', help: 'of the order and moments of the kills (1)' },
    logs: {
      type: 'string',
      value: LOG_CHECKS.join('|'),
      help: 'when logs are replayed: after each kill, or all at the end (end with several harts)',
    },
    'load-ms': { type: 'string', value: 'N', help: 'load before each kill (1000)' },
    json: { type: 'boolean', help: 'the summary as one JSON object' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const kills = args.integer('kills', 1, 1_000_000) ?? 100;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  const name = args.text('guest') ?? 'ledger';
  if (name !== 'ledger' && name !== 'debian') {
    throw new LockstepError('USAGE', `--guest: "${name}" is neither ledger nor debian`);
  }
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const harts = args.integer('harts', 1, MAX_HARTS) ?? 1;
  const isParallel = args.flag('parallel');
  if (name === 'ledger' && harts > 1) {
    throw new LockstepError('USAGE', '--harts: the ledger has one hart');
  }
  const guest = name === 'ledger' ? ledgerGuest() : await debianGuest(say, { harts, isParallel });
  const wanted = args.text('logs') ?? (harts > 1 ? 'end' : 'each');
  const logChecks = LOG_CHECKS.find((one) => one === wanted);
  if (logChecks === undefined) {
    throw new LockstepError('USAGE', `--logs: "${wanted}" is none of ${LOG_CHECKS.join(', ')}`);
  }
  const startMs = performance.now();
  const chain = new KillCampaign({
    ...guest,
    seed,
    loadMs: args.integer('load-ms', 100, 600_000) ?? 1_000,
    logChecks,
    onKill: (record) => say(lineOf(record, kills)),
    onCheck: (number, replayMs) =>
      say(`${number}/${kills}  logs hold, replayed in ${(replayMs / 1000).toFixed(1)} s`),
  });
  let fault: string | null = null;
  try {
    await chain.start();
    await chain.run(kills);
  } catch (error) {
    if (!(error instanceof Broken || error instanceof LockstepError)) throw error;
    fault = error.message;
  } finally {
    await chain.close(fault !== null);
    guest.close();
  }
  const summary = summarize(chain.records, chain.checkTimes, (performance.now() - startMs) / 1000);
  report(args, { guest: name, seed, wanted: kills, fault, ...summary }, guest);
  if (fault !== null) say(`kept: ${chain.fleet.folder}`);
  return fault === null ? 0 : 1;
}

function lineOf(record: KillRecord, kills: number): string {
  const { number, kind, epoch, failoverMs, takeover, rate, heldBytes, lagSteps, answered } = record;
  const { replayMs, pacedRate } = record;
  return (
    `${String(number).padStart(String(kills).length)}/${kills}  ${kind.padEnd(7)}  e${epoch}  ` +
    `failover ${failoverMs.toFixed(0)} ms (arbiter ${takeover.arbitrateMs.toFixed(1)}, drain ` +
    `${takeover.drainMs.toFixed(1)})  ${rate.toFixed(0)}/s  held ${heldBytes} B  ` +
    `lag ${lagSteps} steps  answered ${answered}  ` +
    (replayMs === null
      ? 'logs later'
      : `logs ${(replayMs / 1000).toFixed(1)} s (${pacedRate?.toFixed(0) ?? '-'}/s)`)
  );
}

interface Report extends Summary {
  readonly guest: string;
  readonly seed: number;
  readonly wanted: number;
  readonly fault: string | null;
}

function report(args: Arguments, result: Report, guest: CampaignGuest): void {
  if (args.flag('json')) {
    process.stdout.write(`${toJsonLine(result)}\n`);
    return;
  }
  const { kills, wanted, seed, seconds, transactions, failover, replay } = result;
  const leastRate = result.leastRate.toFixed(0);
  const paced = result.leastPacedRate;
  const whilePaced = paced === 0 ? '' : `, ${paced.toFixed(0)} while logs were replayed`;
  const lines = [
    `${guest.dialect.name}: ${kills} of ${wanted} kills, seed ${seed}, ${seconds.toFixed(0)} s`,
    `${transactions} transactions, each answered once and in order; at least ${leastRate} a ` +
      `second before each kill${whilePaced} (least asked for: ${guest.minRate})`,
    `logs replayed for each kill in p50 ${replay.p50.toFixed(0)} ms, max ` +
      `${replay.max.toFixed(0)} ms`,
    ...[...KILL_KINDS, 'all' as const].map((kind) => {
      const { count, p50, p99, max } = failover[kind];
      return (
        `  ${kind.padEnd(7)}  ${String(count).padStart(4)} kills, kill to first output ` +
        `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`
      );
    }),
    result.fault === null ? 'Everything held.' : `NOT KEPT: ${result.fault}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

await runCampaign(command);
