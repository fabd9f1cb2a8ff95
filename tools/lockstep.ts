#!/usr/bin/env node
/**
 * The `lockstep` command. Everything is in `main.ts`; this file owns the process: its arguments,
 * its end and exit status, and a reader of its output that goes away (`lockstep log dump | head`).
 */

import { leave } from './leave.js';
import { main } from './main.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader closed the pipe: what it wanted it has, so this is success.
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

await leave(await main(process.argv.slice(2)));
