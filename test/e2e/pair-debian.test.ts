/**
 * Goal: what holds for the ledger holds for an unmodified Debian: its shell goes on at the same
 * instruction when the primary is killed.
 * Method: Debian boots once; then a chain of kills on that one running machine, each survivor
 * passing it on to a new backup as a snapshot, under a client of a shell loop.
 * LOCKSTEP_DEBIAN_KILLS sets how many kills (3 by default).
 *
 * Skipped, with a message, where the images can't be had.
 */

import test from 'ava';
import { debianImage } from '../support/debian.js';
import { KillChain, LEDGER_MACHINE, percentile } from '../support/kill-run.js';
import { PairFixture } from '../support/pair.js';
import { Random } from '../support/random.js';
import { ShellClient } from '../support/shell-client.js';

const KILLS = Number(process.env['LOCKSTEP_DEBIAN_KILLS'] ?? '3');
/** Lines a second over everything, boot and new backups included. */
const MIN_RATE = 1;

test.serial(`${KILLS} kills in a chain lose, double and reorder no line of a shell`, async (t) => {
  t.timeout(300_000 + KILLS * 60_000);
  const image = await debianImage(t);
  if (image === null) return;
  const images = ['--bios', image.bios, '--kernel', image.kernel, '--initrd', image.initrd];
  const flags = [...images, '--append', 'console=ttyS0', '--memory', '256M'];
  const fixture = new PairFixture(t, LEDGER_MACHINE.script, flags);
  const chain = new KillChain(fixture, new Random(1), { bootMs: 240_000 });
  const run = await chain.run(KILLS, (addresses, onAnswer) => new ShellClient(addresses, onAnswer));
  const gaps = run.kills.map(({ gapMs }) => gapMs);
  t.log(
    `${run.answered} lines, ${run.rate.toFixed(1)} a second with boot and joins; next answer ` +
      `after p50 ${percentile(gaps, 0.5).toFixed(0)} ms, worst ${Math.max(...gaps).toFixed(0)} ms`,
  );
  t.is(run.fault, null);
  t.is(run.kills.length, KILLS);
  t.true(run.rate >= MIN_RATE);
});
