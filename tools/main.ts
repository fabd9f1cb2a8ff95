/**
 * The frame of the command line: finds the command, parses its words, runs it, turns a failure
 * into a message and an exit status.
 *
 * Exit statuses: 0 success, 1 a defect in Lockstep itself (with a stack trace), 2 and up as
 * `EXIT_STATUS` says. A command may return a status of its own (a guest's exit code).
 */

import { EXIT_STATUS, LockstepError } from '../lib/base/error.js';
import { prepareWorker } from '../lib/host/prepared-worker.js';
import { nearestName, parseCommandLine, type CommandEntry } from './command.js';
import { COMMANDS } from './commands/index.js';
import { commandHelp, familyHelp, overview } from './help.js';

const HELP_WORDS: readonly string[] = ['help', '--help', '-h'];

/** `words` are the words after `lockstep`. Never throws. */
export async function main(words: readonly string[]): Promise<number> {
  try {
    return await dispatch(words);
  } catch (error) {
    if (error instanceof LockstepError) {
      process.stderr.write(`lockstep: ${error.code}: ${error.message}\n`);
      return EXIT_STATUS[error.code];
    }
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`lockstep: defect, please report it: ${detail}\n`);
    return 1;
  }
}

async function dispatch(words: readonly string[]): Promise<number> {
  const [first] = words;
  if (first === undefined) {
    process.stderr.write(overview(COMMANDS));
    return EXIT_STATUS.USAGE;
  }
  if (first === '--version') {
    process.stdout.write(`lockstep ${await packageVersion()}\n`);
    return 0;
  }
  if (HELP_WORDS.includes(first)) return help(words.slice(1));
  if (isFamily(first) && (words[1] === undefined || HELP_WORDS.includes(words[1]))) {
    const asked = words[1] !== undefined;
    (asked ? process.stdout : process.stderr).write(familyHelp(first, COMMANDS));
    return asked ? 0 : EXIT_STATUS.USAGE;
  }
  const entry = findCommand(words);
  const rest = words.slice(entry.name.split(' ').length);
  if (asksForHelp(rest)) return help(entry.name.split(' '));
  if (entry.runsMachine === true) prepareWorker();
  const command = await entry.load();
  return command.run(parseCommandLine(command, rest));
}

function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  const flags = end < 0 ? words : words.slice(0, end);
  return flags.includes('--help') || flags.includes('-h');
}

async function help(words: readonly string[]): Promise<number> {
  const [first] = words;
  if (first === undefined) {
    process.stdout.write(overview(COMMANDS));
  } else if (isFamily(first) && words.length === 1) {
    process.stdout.write(familyHelp(first, COMMANDS));
  } else {
    const entry = findCommand(words);
    process.stdout.write(commandHelp(entry, await entry.load()));
  }
  return 0;
}

function isFamily(word: string): boolean {
  return COMMANDS.some((entry) => entry.name.startsWith(`${word} `));
}

/** The entry that the first word, or the first two, name; USAGE with the nearest name otherwise. */
function findCommand(words: readonly string[]): CommandEntry {
  const [first = '', second = ''] = words;
  const found = COMMANDS.find(({ name }) => name === `${first} ${second}` || name === first);
  if (found !== undefined) return found;
  const wanted = isFamily(first) ? `${first} ${second}` : first;
  const names = isFamily(first)
    ? COMMANDS.map(({ name }) => name)
    : COMMANDS.map(({ name }) => name.split(' ')[0] ?? name);
  const hint = nearestName(wanted, names);
  const suggestion =
    hint === undefined ? '`lockstep help` lists the commands' : `did you mean "${hint}"?`;
  throw new LockstepError('USAGE', `no command "${wanted}"; ${suggestion}`);
}

async function packageVersion(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  const url = new URL('../../package.json', import.meta.url);
  const parsed: unknown = JSON.parse(await readFile(url, 'utf8'));
  const isPackage = typeof parsed === 'object' && parsed !== null && 'version' in parsed;
  return isPackage ? String(parsed.version) : 'unknown';
}
