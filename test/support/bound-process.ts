/**
 * Programs that must not outlive this process, however it ends: also those that stand still.
 */

import type { ChildProcess } from 'node:child_process';

const living = new Set<ChildProcess>();

process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Gives the process back; it is killed when this one ends, if it still runs then. */
export function bound<T extends ChildProcess>(child: T): T {
  living.add(child);
  child.once('exit', () => living.delete(child));
  return child;
}
