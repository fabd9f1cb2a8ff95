/**
 * The table of commands, in the order help shows them. Commands are imported only when they are
 * called, so that `lockstep help` and a mistyped flag answer at once.
 */

import type { CommandEntry } from '../command.js';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'log dump',
    group: 'Tools',
    summary: 'print the events of a log, one a line',
    load: async () => (await import('./log-dump.js')).logDump,
  },
];
