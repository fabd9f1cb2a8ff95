/**
 * What is done to a protected pair under redis, and what must come of it: for each kind of strike
 * who is left as primary, and what nobody may do meanwhile.
 *
 * After most strikes the machine goes on without a backup, which the campaign then starts anew.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import type { CampaignArbiter } from './campaign-arbiter.js';
import { insist } from './campaign-checks.js';
import type { Fleet } from './campaign-fleet.js';
import type { Cut, CuttableProxy } from './cuttable-proxy.js';
import type { RedisLoad } from './redis-load.js';

/** What a strike has to do with. */
export interface Struck {
  readonly primary: NodeProcess;
  readonly backup: NodeProcess;
  /** Between the two; null where no strike of the campaign cuts anything. */
  readonly proxy: CuttableProxy | null;
  readonly fleet: Fleet;
  readonly arbiter: CampaignArbiter;
  readonly load: RedisLoad;
  /** Starts a backup of a primary, and waits for its protection. */
  readonly protect: (primary: NodeProcess) => Promise<NodeProcess>;
  /** Ends the switch and starts another at the same address, with the same ports. */
  readonly renewSwitch: () => Promise<void>;
}

export interface Strike {
  readonly help: string;
  /** Whether a node has to find out by silence alone that another is gone. */
  readonly isSilent: boolean;
  /**
   * Resolves, when the clients are answered again, to the primary that has no backup now; to null
   * where the pair is what it was.
   */
  readonly run: (scene: Struck) => Promise<NodeProcess | null>;
}

/** Answers that show that the machine goes on. */
const GOES_ON = 20;
/** How long an arbiter is out of reach. */
const HIDDEN_MS = 2_000;
/** What a dead primary had sent has come by then. */
const LAST_ANSWERS_MS = 500;
/** A primary that stands still is found out and replaced within it. */
const STOPPED_MS = 500;

export const STRIKES = {
  kill: { help: 'the primary is killed', isSilent: false, run: killPrimary },
  backup: { help: 'the backup is killed', isSilent: false, run: killBackup },
  both: { help: 'the backup is killed, and then the primary', isSilent: false, run: killBoth },
  stop: { help: 'the primary is stopped, replaced and continued', isSilent: true, run: stop },
  cut: { help: 'nothing passes between the two', isSilent: true, run: cutter('both') },
  'cut-acks': { help: 'the primary hears nothing', isSilent: true, run: cutter('acks') },
  'cut-log': { help: 'the backup hears nothing', isSilent: true, run: cutter('log') },
  arbiter: {
    help: 'the primary is killed while nobody reaches the arbiter',
    isSilent: false,
    run: killWithoutArbiter,
  },
  switch: { help: 'the switch is killed, and another started', isSilent: false, run: renew },
} as const satisfies Readonly<Record<string, Strike>>;

export type StrikeName = keyof typeof STRIKES;
export const STRIKE_NAMES = Object.keys(STRIKES) as readonly StrikeName[];

export function isStrikeName(name: string): name is StrikeName {
  return Object.hasOwn(STRIKES, name);
}

async function killPrimary({ primary, backup, fleet, load }: Struck): Promise<NodeProcess> {
  primary.signal('SIGKILL');
  await primary.exit();
  // What was in the client's own sockets is not the new primary's answer.
  await backup.heard('network up');
  await load.answers(GOES_ON);
  fleet.forget(primary);
  return backup;
}

async function killBackup({ primary, backup, fleet, load }: Struck): Promise<NodeProcess> {
  backup.signal('SIGKILL');
  await backup.exit();
  // Answers held back for the dead backup leave when the arbiter has agreed to its loss.
  await until('protection given up', () =>
    primary.journal.some(({ event }) => event === 'arbitrating -> solo'),
  );
  await load.answers(GOES_ON);
  fleet.forget(backup);
  return primary;
}

async function killBoth(scene: Struck): Promise<NodeProcess> {
  const alone = await killBackup(scene);
  const backup = await scene.protect(alone);
  await scene.load.answers(GOES_ON);
  return killPrimary({ ...scene, primary: alone, backup });
}

async function stop({ primary, backup, fleet, load }: Struck): Promise<NodeProcess> {
  primary.signal('SIGSTOP');
  await backup.heard('network up');
  await load.answers(GOES_ON);
  await delay(STOPPED_MS);
  primary.signal('SIGCONT');
  insistOnFence('a primary that was asleep', await primary.exit());
  fleet.forget(primary);
  return backup;
}

function cutter(cut: Cut): (scene: Struck) => Promise<NodeProcess> {
  return async ({ primary, backup, proxy, fleet, load }) => {
    insist(proxy !== null, 'a cut needs a proxy between the nodes');
    proxy.cut(cut);
    const lost = await until('the loser of a cut', () =>
      [primary, backup].find(({ child }) => child.exitCode !== null || child.signalCode !== null),
    );
    insistOnFence('the loser of a cut', await lost.exit());
    const won = lost === primary ? backup : primary;
    if (won === backup) await backup.heard('network up');
    await load.answers(GOES_ON);
    proxy.mend();
    fleet.forget(lost);
    return won;
  };
}

async function killWithoutArbiter(scene: Struck): Promise<NodeProcess> {
  const { primary, backup, arbiter, fleet, load } = scene;
  arbiter.hide();
  try {
    primary.signal('SIGKILL');
    await primary.exit();
    await delay(LAST_ANSWERS_MS);
    const { answered } = load;
    await delay(HIDDEN_MS);
    insist(load.answered === answered, 'an answer came though the arbiter had not spoken');
  } finally {
    arbiter.show();
  }
  await backup.heard('network up');
  await load.answers(GOES_ON);
  fleet.forget(primary);
  return backup;
}

async function renew({ load, renewSwitch }: Struck): Promise<null> {
  await load.outlive(renewSwitch);
  await load.answers(GOES_ON);
  return null;
}

function insistOnFence(who: string, status: number | null): void {
  insist(status === EXIT_STATUS.FENCED, `${who} ended with status ${status}`);
}
