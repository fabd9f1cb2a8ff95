/**
 * `npm run campaign:zombies -- --cycles N [--seed S]`: stops the primary of a real pair past its
 * replacement, continues it, and checks that nobody takes a byte of it. Exit status 1, and the
 * folder kept, at the first promise that does not hold.
 */

import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { Broken } from '../support/campaign-checks.js';
import { ledgerGuest } from '../support/campaign-guests.js';
import { distribution } from '../support/campaign-summary.js';
import { ZombieCampaign } from '../support/campaign-zombies.js';

const command: Command = {
  usage: ['campaign:zombies -- [--cycles N] [--seed S] [--json]'],
  description: 'Stops and continues the primary, and checks that it is heard by nobody.',
  options: {
    cycles: { type: 'string', value: 'N', help: 'how often (20)' },
    seed: { type: 'string', value: 'S', help: 'of the moments (1)' },
    json: { type: 'boolean', help: 'the summary as one JSON object' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const cycles = args.integer('cycles', 1, 1_000_000) ?? 20;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const chain = new ZombieCampaign({
    ...ledgerGuest(),
    seed,
    onCycle: ({ number, epoch, failoverMs, fencedMs, lateBytes }) =>
      say(
        `${number}/${cycles}  e${epoch}  stopped to first output ${failoverMs.toFixed(0)} ms, ` +
          `continued to fenced ${fencedMs.toFixed(0)} ms, ${lateBytes} late bytes, none taken`,
      ),
  });
  let fault: string | null = null;
  try {
    await chain.run(cycles);
  } catch (error) {
    if (!(error instanceof Broken || error instanceof LockstepError)) throw error;
    fault = error.message;
  } finally {
    await chain.fleet.close(fault !== null);
  }
  const { records } = chain;
  const lateBytes = records.reduce((sum, record) => sum + record.lateBytes, 0);
  const failover = distribution(records.map(({ failoverMs }) => failoverMs));
  const fenced = distribution(records.map(({ fencedMs }) => fencedMs));
  if (args.flag('json')) {
    const result = { cycles: records.length, seed, lateBytes, taken: 0, failover, fenced, fault };
    process.stdout.write(`${toJsonLine(result)}\n`);
  } else {
    process.stdout.write(
      `${records.length} of ${cycles} zombies, seed ${seed}: 0 bytes of an old epoch taken ` +
        `(${lateBytes} sent); stopped to first output p50 ${failover.p50.toFixed(0)} ms, ` +
        `max ${failover.max.toFixed(0)} ms; continued to fenced max ${fenced.max.toFixed(0)} ms\n` +
        `${fault === null ? 'Everything held.' : `NOT KEPT: ${fault}`}\n`,
    );
  }
  if (fault !== null) say(`kept: ${chain.fleet.folder}`);
  return fault === null ? 0 : 1;
}

await runCampaign(command);
