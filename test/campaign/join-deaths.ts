/**
 * `npm run campaign:join-deaths`: Debian of 256 MiB with a client that never stops, and deaths in
 * the middle of a copy to a joining backup: of that backup, and of the primary
 * (test/support/join-deaths.ts). Exit status 1 if anything was lost.
 */

import type { Arguments, Command } from '../../tools/command.js';
import { debianGuest } from '../support/campaign-guests.js';
import { runCampaign } from '../support/campaign-main.js';
import { JoinDeaths } from '../support/join-deaths.js';

const command: Command = {
  usage: ['campaign:join-deaths -- [--deaths N] [--seed S]'],
  description: 'Kills a joining backup, or its primary, in the middle of the copy between them.',
  options: {
    deaths: { type: 'string', value: 'N', help: 'of either in turn (10)' },
    seed: { type: 'string', value: 'S', help: 'of the moments (1)' },
  },
  run: campaign,
};

async function campaign(args: Arguments): Promise<number> {
  const count = args.integer('deaths', 1, 100_000) ?? 10;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  const guest = await debianGuest(say);
  const deaths = new JoinDeaths(guest, seed);
  try {
    await deaths.start();
    for (let number = 1; number <= count; number++) {
      const { who, afterMs, answered } = await deaths.die(number);
      say(
        `${number}/${count}  the ${who} node died ${afterMs} ms into the copy, ${answered} answered`,
      );
    }
    const answered = await deaths.finish();
    process.stdout.write(
      `${count} deaths in the middle of a copy: ${answered} answers, all right\n`,
    );
    return 0;
  } finally {
    await deaths.close();
    guest.close();
  }
}

await runCampaign(command);
