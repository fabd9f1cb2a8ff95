/**
 * Removes the file of a unix socket whose owner is dead.
 *
 * A process that is killed leaves its socket file, and the next bind fails on it. Only a probe
 * tells a dead file from a live server: a refused connection proves that nobody listens. Anything
 * that is not a socket is left alone.
 */

import { lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { LockstepError } from '../base/error.js';

const PROBE_TIMEOUT_MS = 1_000;

type Probe = 'live' | 'dead' | 'gone';

function probe(path: string): Promise<Probe> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const answer = (result: Probe): void => {
      socket.destroy();
      resolve(result);
    };
    // A server that is stopped still has a backlog: silence means that somebody owns the file.
    socket.setTimeout(PROBE_TIMEOUT_MS, () => answer('live'));
    socket.once('connect', () => answer('live'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') answer('dead');
      else answer(error.code === 'ENOENT' ? 'gone' : 'live');
    });
  });
}

/** Makes `path` free for a bind. Errors: IO if somebody listens there, or if it is no socket. */
export async function clearSocketFile(path: string): Promise<void> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new LockstepError('IO', `the socket ${path} can't be examined: ${error.message}`);
  });
  if (stat === null) return;
  if (!stat.isSocket()) {
    throw new LockstepError('IO', `${path} exists and is not a socket; remove it or use another`);
  }
  const state = await probe(path);
  if (state === 'live') {
    throw new LockstepError('IO', `another process listens on unix:${path}`);
  }
  if (state === 'dead') await unlink(path);
}
