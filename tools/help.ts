/**
 * The text of `lockstep help` and `lockstep COMMAND --help`, made from the tables.
 */

import { COMMAND_GROUPS, type Command, type CommandEntry } from './command.js';

const HELP_COLUMNS = 96;

/** The overview. It loads no command, so it is quick. */
export function overview(entries: readonly CommandEntry[]): string {
  const width = Math.max(...entries.map((entry) => entry.name.length));
  const lines = [
    'lockstep: a deterministic RISC-V virtual machine that survives the death of its host',
    '',
    'Usage: lockstep COMMAND [OPTION]...',
  ];
  for (const group of COMMAND_GROUPS) {
    const members = entries.filter((entry) => entry.group === group);
    if (members.length === 0) continue;
    lines.push('', `${group}:`);
    for (const entry of members) lines.push(`  ${entry.name.padEnd(width)}  ${entry.summary}`);
  }
  lines.push('', '`lockstep COMMAND --help` shows the options of a command.');
  return lines.join('\n') + '\n';
}

/** The members of a family such as `log`. */
export function familyHelp(family: string, entries: readonly CommandEntry[]): string {
  const members = entries.filter((entry) => entry.name.startsWith(`${family} `));
  const width = Math.max(...members.map((entry) => entry.name.length));
  const lines = members.map((entry) => `  ${entry.name.padEnd(width)}  ${entry.summary}`);
  return [`Usage: lockstep ${family} COMMAND [OPTION]...`, '', ...lines].join('\n') + '\n';
}

export function commandHelp(entry: CommandEntry, command: Command): string {
  return helpText(command, { caller: 'lockstep', name: entry.name });
}

/** `caller` stands before each form of use: `lockstep`, or what else starts the command. */
export function helpText(
  command: Command,
  { caller, name }: { readonly caller: string; readonly name: string },
): string {
  const lines = command.usage.map(
    (form, index) => `${index === 0 ? 'Usage:' : '      '} ${caller} ${form}`,
  );
  lines.push('', ...wrap(command.description, HELP_COLUMNS, ''));
  const rows = Object.entries(command.options).map(([flag, option]) => ({
    left:
      `${option.short === undefined ? '    ' : `-${option.short}, `}--${flag}` +
      (option.type === 'string' ? ` ${option.value ?? 'VALUE'}` : ''),
    help: option.help,
  }));
  rows.push({ left: '-h, --help', help: `show this help of ${name}` });
  const width = Math.min(30, Math.max(...rows.map((row) => row.left.length)));
  lines.push('', 'Options:');
  for (const row of rows) {
    const indent = ' '.repeat(width + 4);
    const [first, ...rest] = wrap(row.help, HELP_COLUMNS - width - 4, '');
    if (row.left.length > width) {
      lines.push(`  ${row.left}`, `${indent}${first ?? ''}`);
    } else {
      lines.push(`  ${row.left.padEnd(width)}  ${first ?? ''}`);
    }
    for (const line of rest) lines.push(indent + line);
  }
  return lines.join('\n') + '\n';
}

/** Breaks at spaces; an empty line in the text stays an empty line. */
function wrap(text: string, columns: number, indent: string): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = indent;
    for (const word of paragraph.split(' ')) {
      if (line.length + word.length >= columns && line.trim() !== '') {
        lines.push(line.trimEnd());
        line = indent;
      }
      line += `${word} `;
    }
    lines.push(line.trimEnd());
  }
  return lines;
}
