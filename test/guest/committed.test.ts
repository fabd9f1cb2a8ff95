/**
 * Goal: the committed guests are what their sources say.
 * Method: build them all anew and compare bytes. Skipped without the cross compiler, or with
 * another version of it.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { findProgram, REPOSITORY } from '../support/qemu.js';

const run = promisify(execFile);
const COMPILER = 'riscv64-unknown-elf-gcc';
const COMPILER_VERSION = '12.2.0';

test('the committed guests are those their sources give (skipped without the cross compiler)', async (t) => {
  if ((await findProgram(COMPILER)) === null) {
    t.log(`skipped: ${COMPILER} is not installed`);
    t.pass();
    return;
  }
  const { stdout: version } = await run(COMPILER, ['-dumpfullversion']);
  if (version.trim() !== COMPILER_VERSION) {
    t.log(
      `skipped: ${COMPILER} is ${version.trim()}, the guests were built by ${COMPILER_VERSION}`,
    );
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-guest-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await run(join(REPOSITORY, 'guest/build'), [folder]);
  const committed = await programsIn(join(REPOSITORY, 'guest'));
  t.deepEqual(await programsIn(folder), committed);
  t.true(committed.includes('ledger.elf') && committed.length > 1);
  for (const name of committed) {
    const [built, kept] = await Promise.all(
      [folder, join(REPOSITORY, 'guest')].map((place) => readFile(join(place, name))),
    );
    t.true(built !== undefined && kept?.equals(built), `guest/build gives another ${name}`);
  }
});

/** Paths of the ELF files below a folder, in order. */
async function programsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names.filter((name) => name.endsWith('.elf')).sort();
}
