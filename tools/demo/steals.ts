/**
 * `lockstep demo steal`: two harts in parallel that share two words without a lock. Their result
 * differs from run to run; a replay of the run's log in another process always agrees, because the
 * log says who took the page from whom, and at which instruction.
 */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LockstepError } from '../../lib/base/error.js';
import type { StealEvent } from '../../lib/event/event.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { toJsonLine } from '../output.js';
import type { Screen } from './screen.js';

const LOCKSTEP = fileURLToPath(new URL('../lockstep.js', import.meta.url));
const GUEST = fileURLToPath(new URL('../../../guest/steal.elf', import.meta.url));
const MACHINE = ['--bios', 'none', '--kernel', GUEST, '--memory', '16M'];
/** Steals of a run that are shown. */
const SHOWN = 3;

const STORY = [
  'Two harts on threads of their own share two words of one page, without a lock:',
  '',
  '    hart 0                        hart 1',
  '    while (!flag) count++;        while (!count) {}',
  '    print count;                  work a while; flag = 1;',
  '',
  'A page that is written belongs to one hart at a time. Another one that touches it steals it:',
  'all stand, and the log notes at which step each did. A replay makes the same steals at the same',
  'steps, and so gets the same count, whatever its own threads do.',
  '',
];

export interface StealRun {
  /** What hart 0 printed. */
  readonly count: string;
  readonly steals: readonly StealEvent[];
  /** Checks of state that were equal in the replay; null if it departed from the log. */
  readonly checks: number | null;
}

/** Exit status: 0 if every replay agreed with its run. */
export function demonstrateSteals(options: {
  readonly folder: string;
  readonly runs: number;
  readonly isJson: boolean;
  readonly screen: Screen;
}): number {
  const { runs, isJson, screen } = options;
  if (!isJson) for (const line of STORY) screen.line(line);
  const seen: StealRun[] = [];
  for (let number = 1; number <= runs; number++) {
    const run = recordAndReplay(join(options.folder, `run-${number}`));
    seen.push(run);
    if (!isJson) for (const line of describe(run, number, screen)) screen.line(line);
  }
  const counts = new Set(seen.map(({ count }) => count)).size;
  const agreed = seen.filter(({ checks }) => checks !== null).length;
  if (isJson) {
    process.stdout.write(`${toJsonLine({ counts, agreed, runs: seen })}\n`);
  } else {
    const verdict = agreed === runs ? 'green' : 'red';
    screen.line();
    screen.line(
      `${runs} runs, ${counts} different counts; ` +
        screen.paint(verdict, `${agreed} of ${runs} replays agreed with their run`),
    );
  }
  return agreed === runs ? 0 : 1;
}

function recordAndReplay(log: string): StealRun {
  const recorded = lockstep(['record', '--log', log, ...MACHINE, '--harts', '2', '--parallel']);
  if (recorded.status !== 0) {
    throw new LockstepError('IO', `the recording ended with ${recorded.status}: ${recorded.words}`);
  }
  const replayed = lockstep(['replay', '--log', log, '--json']);
  const checks =
    replayed.status === 0 ? (JSON.parse(replayed.output) as { checks: number }).checks : null;
  return { count: recorded.output.trim(), steals: stealsOf(log), checks };
}

function lockstep(words: readonly string[]): { status: number; output: string; words: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [LOCKSTEP, ...words], {
    encoding: 'utf8',
  });
  return { status: status ?? 1, output: stdout, words: stderr };
}

function stealsOf(log: string): readonly StealEvent[] {
  const steals: StealEvent[] = [];
  for (const { batch } of LogReader.open(log).batches()) {
    for (const { event } of batch.entries) if (event.kind === 'steal') steals.push(event);
  }
  return steals;
}

function describe(run: StealRun, number: number, screen: Screen): readonly string[] {
  const { count, steals, checks } = run;
  const shown = steals.slice(0, SHOWN).map(({ hart, step, mode, victims }) => {
    const others = victims.map((victim) => `hart ${victim.hart} stood at step ${victim.step}`);
    return `          hart ${hart} at step ${step} took the page to ${mode}; ${others.join(', ')}`;
  });
  const rest = steals.length > SHOWN ? [`          and ${steals.length - SHOWN} more`] : [];
  const agrees =
    checks === null
      ? screen.paint('red', 'the replay in another process departed from the log')
      : screen.paint(
          'green',
          `a replay in another process agrees: ${checks} checks of state equal`,
        );
  return [
    `run ${number}     hart 0 printed ${screen.paint('bold', count)}, after ${steals.length} steals:`,
    ...shown,
    ...rest,
    `          ${agrees}`,
  ];
}
