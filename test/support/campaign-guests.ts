/**
 * The guests of a campaign, ready to be started: the embedded ledger from power-on, and Debian
 * with a loop in its shell from a snapshot, since booting it each time would take most of the time.
 *
 * The snapshot is made by the pair itself: a primary boots, a shell is told to run the loop, and a
 * backup that joins keeps what it was given in the `start.snapshot` of its log.
 */

import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { START_SNAPSHOT_FILE } from '../../lib/host/log-store/start-snapshot.js';
import { until } from '../../tools/demo/node-process.js';
import { ledgerDialect, shellDialect, SHELL_LOOP, type Dialect } from './campaign-dialects.js';
import { Fleet, LEDGER_FLAGS, untilProtected } from './campaign-fleet.js';
import { cachedDebianImage, imageFlags } from './debian.js';
import { GuestShell } from './guest-shell.js';
import { makeTemporaryFolder, removeTemporaryFolder } from './temporary-folder.js';

export interface CampaignGuest {
  readonly machine: readonly string[];
  readonly restore: string | null;
  readonly dialect: Dialect;
  readonly ahead: number;
  readonly minRate: number;
  readonly pacedRate: number;
  /** Deletes what was made for it. */
  close(): void;
}

/** A primary replays younger log to a backup that joins, rather than copy the machine. */
export const RESUMABLE_SECONDS = 10;

export function ledgerGuest(): CampaignGuest {
  return {
    machine: LEDGER_FLAGS,
    restore: null,
    dialect: ledgerDialect(),
    ahead: 8,
    minRate: 20,
    pacedRate: 100,
    close: () => undefined,
  };
}

export interface DebianHarts {
  readonly harts: number;
  readonly isParallel: boolean;
}

/** Work for the other harts beside the shell that answers: pipelines that come and go. */
function loadOf({ harts }: DebianHarts): string {
  const pipeline = 'seq 200 | while read x; do :; done';
  return `(while :; do ${pipeline}; sleep 0.1; done) & `.repeat(harts - 1);
}

/** Errors: USAGE if the images are not in the cache, IO if Debian does not come up. */
export async function debianGuest(
  say: (text: string) => void,
  harts: DebianHarts = { harts: 1, isParallel: false },
): Promise<CampaignGuest> {
  const image = await cachedDebianImage();
  const machine = [
    ...imageFlags(image),
    ...['--append', 'console=ttyS0', '--memory', '256M'],
    ...['--harts', `${harts.harts}`, ...(harts.isParallel ? ['--parallel'] : [])],
  ];
  const made = makeTemporaryFolder('debian');
  const restore = join(made, 'debian.snapshot');
  say('boots Debian once');
  await makeSnapshot(machine, restore, loadOf(harts));
  say('the shell runs its loop; the campaign begins from a snapshot of it');
  return {
    machine,
    restore,
    dialect: shellDialect(),
    ahead: 4,
    minRate: 2,
    pacedRate: 20,
    close: () => removeTemporaryFolder(made),
  };
}

async function makeSnapshot(machine: readonly string[], path: string, load: string): Promise<void> {
  const fleet = new Fleet(machine);
  const primary = fleet.primary();
  try {
    await GuestShell.use([await primary.address()], async (shell) => {
      if (load !== '') await shell.run(`${load}:`);
      await shell.hand(SHELL_LOOP, '0', /^A 0 0 0/m);
    });
    // A backup that comes earlier is sent the whole log instead.
    await until('a log too old to be replayed', async () => {
      return (await primary.status()).uptimeSeconds > RESUMABLE_SECONDS + 2;
    });
    const backup = await fleet.backup([primary]);
    await untilProtected(primary);
    copyFileSync(join(fleet.log(backup), START_SNAPSHOT_FILE), path);
  } finally {
    await fleet.close();
  }
}
