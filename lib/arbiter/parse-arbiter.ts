/**
 * The arbiter that `--arbiter` names: `file:DIR`, or `etcd:HOST:PORT[,HOST:PORT]...[/PREFIX]`.
 */

import { LockstepError } from '../base/error.js';
import { DEFAULT_PREFIX, EtcdArbiter } from './etcd-arbiter.js';
import { GenerationFileArbiter } from './generation-file.js';
import type { HostArbiter } from './host-arbiter.js';

export const ARBITER_FORMS = 'file:DIR or etcd:HOST:PORT[,HOST:PORT]...[/PREFIX]';

/** Parts of a prefix become parts of keys, which people read and other programs share. */
const PREFIX = /^[A-Za-z0-9._-]{1,64}(?:\/[A-Za-z0-9._-]{1,64}){0,7}$/;

/** Errors: USAGE for anything else, INSECURE for an etcd beyond loopback. */
export function parseArbiter(text: string): HostArbiter {
  const [kind, rest] = [text.slice(0, 5), text.slice(5)];
  if (kind === 'file:' && rest !== '') return new GenerationFileArbiter(rest);
  if (kind === 'etcd:' && rest !== '') return parseEtcd(rest);
  throw new LockstepError('USAGE', `"${text}" is no arbiter; write ${ARBITER_FORMS}`);
}

function parseEtcd(text: string): EtcdArbiter {
  const slash = text.indexOf('/');
  const endpoints = (slash < 0 ? text : text.slice(0, slash)).split(',');
  const prefix = slash < 0 ? DEFAULT_PREFIX : text.slice(slash + 1);
  if (!PREFIX.test(prefix)) {
    throw new LockstepError('USAGE', `"${prefix}" is no prefix of keys; write, say, team/lockstep`);
  }
  return new EtcdArbiter(endpoints, prefix);
}
