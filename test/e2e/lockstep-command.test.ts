/**
 * Goal: the frame of the command line keeps its promises about help, hints and exit statuses.
 * Method: the real command.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const LOCKSTEP = fileURLToPath(new URL('../../tools/lockstep.js', import.meta.url));

for (const { words, status, stdout = /^$/, stderr = /^$/ } of [
  { words: ['help'], status: 0, stdout: /Usage: lockstep COMMAND[^]*log dump/ },
  { words: ['--help'], status: 0, stdout: /Usage: lockstep COMMAND/ },
  { words: ['--version'], status: 0, stdout: /^lockstep \d+\.\d+\.\d+\n$/ },
  { words: [], status: 2, stderr: /Usage: lockstep COMMAND/ },
  { words: ['help', 'log'], status: 0, stdout: /log dump[^]*log stat[^]*log verify/ },
  { words: ['log'], status: 2, stderr: /Usage: lockstep log COMMAND/ },
  { words: ['help', 'log', 'stat'], status: 0, stdout: /Usage: lockstep log stat DIR/ },
  { words: ['log', 'stat', '--help'], status: 0, stdout: /Usage: lockstep log stat DIR/ },
  { words: ['lgo'], status: 2, stderr: /USAGE: no command "lgo"; did you mean "log"\?/ },
  { words: ['log', 'dmup'], status: 2, stderr: /no command "log dmup"; did you mean "log dump"\?/ },
  { words: ['frobnicate'], status: 2, stderr: /`lockstep help` lists the commands/ },
  {
    words: ['log', 'dump', 'x', '--jsno'],
    status: 2,
    stderr: /USAGE: unknown option --jsno; did you mean --json\?/,
  },
] as {
  words: string[];
  status: number;
  stdout?: RegExp;
  stderr?: RegExp;
}[]) {
  test(`lockstep ${words.join(' ')} exits with ${status}`, (t) => {
    const result = spawnSync(process.execPath, [LOCKSTEP, ...words], { encoding: 'utf8' });
    t.regex(result.stdout, stdout);
    t.regex(result.stderr, stderr);
    t.is(result.status, status);
  });
}
