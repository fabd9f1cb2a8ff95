/**
 * How a campaign's process begins and ends: its flags, its help, and its exit status.
 *
 * 0 if every promise was kept, 1 if one was not, and the status of its code for any other failure.
 * A signal ends it like a shell's command, without its nodes and folders being left behind.
 */

import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import { parseCommandLine, type Command } from '../../tools/command.js';
import { helpText } from '../../tools/help.js';
import { Broken } from './campaign-checks.js';
import { exitOnSignals } from './temporary-folder.js';

export async function runCampaign(command: Command): Promise<void> {
  const words = process.argv.slice(2);
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(helpText(command, { caller: 'npm run', name: 'the campaign' }));
    return;
  }
  exitOnSignals();
  try {
    process.exitCode = await command.run(parseCommandLine(command, words));
  } catch (error) {
    if (error instanceof Broken) {
      process.stderr.write(`campaign: NOT KEPT: ${error.message}\n`);
      process.exitCode = 1;
      return;
    }
    if (!(error instanceof LockstepError)) throw error;
    process.stderr.write(`campaign: ${error.message}\n`);
    process.exitCode = EXIT_STATUS[error.code];
  }
}
