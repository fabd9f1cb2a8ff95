/**
 * docs/CLI.md, made from the command tables, so that a flag and its description stand in one
 * place. `npm run docs` writes the file; a tidy test fails when it is stale.
 */

import { EXIT_STATUS } from '../../lib/base/error.js';
import { COMMAND_GROUPS, type CommandEntry } from '../command.js';
import { COMMANDS } from '../commands/index.js';
import { commandHelp } from '../help.js';

const HEAD = `# Command line

Made by \`npm run docs\` from the command tables in \`tools/commands\`; not edited by hand. Sizes are
written as in QEMU (\`64K\`, \`256M\`, \`1G\`), durations with their unit (\`500us\`, \`250ms\`, \`2s\`), step
counts in decimal or hexadecimal (\`1_000_000\`, \`0xf4240\`, \`1M\`). What a command prints for a person
goes to stderr, what a program would read to stdout.
`;

export async function commandLineDocument(): Promise<string> {
  const parts = [HEAD];
  for (const group of COMMAND_GROUPS) {
    const members = COMMANDS.filter((entry) => entry.group === group);
    if (members.length === 0) continue;
    parts.push(`## ${group}\n`);
    for (const entry of members) parts.push(await commandSection(entry));
  }
  parts.push(exitStatuses());
  return parts.join('\n');
}

async function commandSection(entry: CommandEntry): Promise<string> {
  const help = commandHelp(entry, await entry.load());
  return `### lockstep ${entry.name}\n\n${entry.summary}\n\n\`\`\`text\n${help}\`\`\`\n`;
}

function exitStatuses(): string {
  const rows = Object.entries(EXIT_STATUS).map(([code, status]) => `| ${status} | \`${code}\` |`);
  return [
    '## Exit statuses',
    '',
    'What each means and what to do about it stands in [OPERATING.md](OPERATING.md).',
    '',
    '| Status | Code |',
    '| --- | --- |',
    '| 0 | success |',
    '| 1 | a defect in Lockstep, reported with a stack |',
    ...rows,
    '',
  ].join('\n');
}
