/**
 * `npm run campaign:durable`: power loss of both hosts of a pair with durable acknowledgements, at
 * random moments (test/support/power-loss.ts). What either of them has left must hold every
 * transaction that the client had seen answered, and neither may go on by itself. Exit status 1 if
 * one did not.
 */

import { LockstepError } from '../../lib/base/error.js';
import type { Arguments, Command } from '../../tools/command.js';
import { toJsonLine } from '../../tools/output.js';
import { runCampaign } from '../support/campaign-main.js';
import { complaintsOf, losePower, type PowerLoss } from '../support/power-loss.js';
import { Random } from '../support/random.js';

/** Until both hosts are gone, counted from protection. */
const LIFE_MS = 2_000;

const command: Command = {
  usage: ['campaign:durable -- [--losses N] [--seed S] [--ack MODE] [--json]'],
  description: 'Takes the power from both hosts of a pair, and looks at what their disks have.',
  options: {
    losses: { type: 'string', value: 'N', help: 'power losses, each of a new pair (50)' },
    seed: { type: 'string', value: 'S', help: 'of the moments (1)' },
    ack: { type: 'string', value: 'MODE', help: 'durable; or memory, which keeps no promise here' },
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const losses = args.integer('losses', 1, 100_000) ?? 50;
  const random = new Random(args.integer('seed', 0, 0xffff_ffff) ?? 1);
  const ack = args.text('ack') ?? 'durable';
  if (ack !== 'durable' && ack !== 'memory') throw new LockstepError('USAGE', `--ack ${ack}`);
  let broken = 0;
  let lostBytes = 0;
  let seen = 0;
  for (let number = 1; number <= losses; number++) {
    const loss = await losePower(ack, random.below(LIFE_MS));
    const complaints = complaintsOf(loss);
    broken += complaints.length > 0 ? 1 : 0;
    lostBytes += loss.lostBytes.reduce((sum, bytes) => sum + bytes, 0);
    seen += loss.seen;
    if (args.flag('json')) process.stdout.write(`${toJsonLine({ ...loss, complaints })}\n`);
    else process.stdout.write(`${number}/${losses}  ${lineOf(loss)}${complaints.join('; ')}\n`);
  }
  process.stderr.write(
    `${losses} power losses: ${broken} not as promised; ${seen} transactions seen, ` +
      `${lostBytes} bytes of log were written and not flushed\n`,
  );
  return broken === 0 ? 0 : 1;
}

function lineOf({ seen, kept, lostBytes }: PowerLoss): string {
  const left = kept.map((count, index) => `${count} (${lostBytes[index]} bytes lost)`);
  return `seen ${seen}, kept ${left.join(' and ')}  `;
}

await runCampaign(command);
