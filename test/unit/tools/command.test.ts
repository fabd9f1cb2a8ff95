/**
 * Goal: a command line is understood or refused with a hint, and help comes from the same table.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { LockstepError } from '../../../lib/base/error.js';
import {
  COMMAND_GROUPS,
  nearestName,
  parseCommandLine,
  type Arguments,
  type Command,
} from '../../../tools/command.js';
import { COMMANDS } from '../../../tools/commands/index.js';
import { commandHelp, overview } from '../../../tools/help.js';

const SAMPLE: Command = {
  usage: ['sample [--kernel FILE] NAME'],
  description: 'A sample.',
  options: {
    kernel: { type: 'string', value: 'FILE', help: 'an image' },
    memory: { type: 'string', value: 'SIZE', help: 'RAM', short: 'm' },
    peer: { type: 'string', value: 'ADDRESS', help: 'a peer', multiple: true },
    harts: { type: 'string', value: 'N', help: 'harts' },
    kinds: { type: 'string', value: 'K,..', help: 'kinds' },
    json: { type: 'boolean', help: 'JSON' },
  },
  positionals: { min: 0, max: 1 },
  run: () => Promise.resolve(0),
};

function parse(...words: readonly string[]): Arguments {
  return parseCommandLine(SAMPLE, words);
}

test('options are read with their types', (t) => {
  const args = parse('--kernel=a', '-m', '2M', '--peer', 'x', 'name', '--peer', 'y', '--json');
  t.is(args.text('kernel'), 'a');
  t.is(args.size('memory'), 2 ** 21);
  t.deepEqual(args.texts('peer'), ['x', 'y']);
  t.true(args.flag('json'));
  t.deepEqual(args.positionals, ['name']);
});

test('absent options are undefined, false or empty', (t) => {
  const args = parse();
  t.is(args.text('kernel'), undefined);
  t.is(args.size('memory'), undefined);
  t.is(args.list('kinds'), undefined);
  t.deepEqual(args.texts('peer'), []);
  t.false(args.flag('json'));
});

test('lists and bounded integers are checked', (t) => {
  t.deepEqual(parse('--kinds', 'a,b').list('kinds'), ['a', 'b']);
  t.throws(() => parse('--kinds', 'a,,b').list('kinds'), { message: /empty item/ });
  t.is(parse('--harts', '3').integer('harts', 1, 8), 3);
  t.throws(() => parse('--harts', '9').integer('harts', 1, 8), { message: /between 1 and 8/ });
  t.throws(() => parse().required('kernel'), { message: '--kernel FILE is needed' });
});

for (const [words, message] of [
  [['--kernle', 'x'], /unknown option --kernle; did you mean --kernel\?/],
  [['--zzzzzzzzzz'], /unknown option --zzzzzzzzzz$/],
  [['-x'], /unknown option -x/],
  [['--kernel'], /--kernel/],
  [['--json=yes'], /--json/],
  [['a', 'b'], /unexpected argument "b"/],
] as const) {
  test(`refused with a hint: ${words.join(' ')}`, (t) => {
    const error = t.throws(() => parse(...words), { instanceOf: LockstepError, message });
    t.is(error?.code, 'USAGE');
  });
}

test('a missing argument shows the usage', (t) => {
  const command = { ...SAMPLE, positionals: { min: 1, max: 1 } };
  t.throws(() => parseCommandLine(command, []), { message: /missing argument: lockstep sample/ });
});

test('asking for an option that the table lacks is a defect', (t) => {
  t.throws(() => parse().flag('kernel'), { instanceOf: AssertionError });
  t.throws(() => parse().text('other'), { instanceOf: AssertionError });
});

test('the nearest name is near or there is none', (t) => {
  t.is(nearestName('pirmary', ['primary', 'backup']), 'primary');
  t.is(nearestName('rec', ['record', 'replay']), 'record');
  t.is(nearestName('xyz', ['record', 'replay']), undefined);
});

test('help shows every command once, and every option of each', async (t) => {
  const text = overview(COMMANDS);
  for (const entry of COMMANDS) {
    t.true(COMMAND_GROUPS.includes(entry.group));
    t.regex(text, new RegExp(`^  ${entry.name} +${entry.summary.slice(0, 10)}`, 'm'));
    const command = await entry.load();
    const help = commandHelp(entry, command);
    for (const name of Object.keys(command.options)) t.true(help.includes(`--${name}`), name);
    t.true(
      command.usage.every((form) => form.startsWith(entry.name)),
      `usage of ${entry.name} begins with its name`,
    );
    for (const line of help.split('\n')) t.true(line.length <= 100, line);
  }
  t.is(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length);
});
