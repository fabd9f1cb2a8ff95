/**
 * The table of commands, in the order help shows them. Commands are imported only when they are
 * called, so that `lockstep help` and a mistyped flag answer at once.
 */

import type { CommandEntry } from '../command.js';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'image',
    group: 'Tools',
    summary: 'fetch and build what boots Debian 13',
    load: async () => (await import('./image.js')).image,
  },
  {
    name: 'log dump',
    group: 'Tools',
    summary: 'print the events of a log, one a line',
    load: async () => (await import('./log-dump.js')).logDump,
  },
  {
    name: 'log stat',
    group: 'Tools',
    summary: 'count the entries, bytes and steps of a log',
    load: async () => (await import('./log-stat.js')).logStat,
  },
  {
    name: 'log verify',
    group: 'Tools',
    summary: 'check every byte of a log',
    load: async () => (await import('./log-verify.js')).logVerify,
  },
];
