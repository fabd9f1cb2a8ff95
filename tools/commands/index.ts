/**
 * The table of commands, in the order help shows them. Commands are imported only when they are
 * called, so that `lockstep help` and a mistyped flag answer at once.
 */

import type { CommandEntry } from '../command.js';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'demo',
    group: 'A pair',
    summary: 'watch a failover: a pair, a client, kill -9',
    load: async () => (await import('./demo.js')).demo,
  },
  {
    name: 'run',
    group: 'Run a machine',
    summary: 'run a machine with its console on the terminal',
    runsMachine: true,
    load: async () => (await import('./run.js')).run,
  },
  {
    name: 'record',
    group: 'Run a machine',
    summary: 'run a machine and write the log that replays it',
    runsMachine: true,
    load: async () => (await import('./record.js')).record,
  },
  {
    name: 'replay',
    group: 'Run a machine',
    summary: 'do what a log says, and compare',
    runsMachine: true,
    load: async () => (await import('./replay.js')).replay,
  },
  {
    name: 'primary',
    group: 'A pair',
    summary: 'run a machine and send its log to a backup',
    runsMachine: true,
    load: async () => (await import('./primary.js')).primary,
  },
  {
    name: 'backup',
    group: 'A pair',
    summary: 'follow a primary and take over when it dies',
    runsMachine: true,
    load: async () => (await import('./backup.js')).backup,
  },
  {
    name: 'node',
    group: 'A pair',
    summary: 'be one host of a pool, in whatever role is needed',
    runsMachine: true,
    load: async () => (await import('./node.js')).node,
  },
  {
    name: 'console',
    group: 'A pair',
    summary: 'attach to the machine, wherever it runs',
    load: async () => (await import('./console.js')).consoleCommand,
  },
  {
    name: 'status',
    group: 'A pair',
    summary: 'show role, protection and lag of each node',
    load: async () => (await import('./status.js')).status,
  },
  {
    name: 'switch',
    group: 'A pair',
    summary: 'the network of machines, which outlives them',
    load: async () => (await import('./switch.js')).switchCommand,
  },
  {
    name: 'top',
    group: 'A pair',
    summary: 'watch the speed, lag and compiler of each node',
    load: async () => (await import('./top.js')).top,
  },
  {
    name: 'image',
    group: 'Tools',
    summary: 'fetch and build what boots Debian 13',
    load: async () => (await import('./image.js')).image,
  },
  {
    name: 'disk export',
    group: 'Tools',
    summary: 'make one image of a disk and what was written to it',
    load: async () => (await import('./disk-export.js')).diskExport,
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
  {
    name: 'regions',
    group: 'Tools',
    summary: 'print what hot guest code is compiled to',
    load: async () => (await import('./regions.js')).regions,
  },
  {
    name: 'simulate',
    group: 'Tools',
    summary: 'run the protocol of the pair from seeds, with faults',
    load: async () => (await import('./simulate.js')).simulate,
  },
];
