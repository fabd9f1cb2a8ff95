/**
 * The arbiter of a campaign as something that can be out of reach for a while: a directory that is
 * not where it was, or an etcd whose members all stand still.
 */

import { renameSync } from 'node:fs';
import type { EtcdCluster } from './etcd.js';

export interface CampaignArbiter {
  /** From here on nobody is answered. */
  hide(): void;
  show(): void;
}

export function directoryArbiter(folder: string): CampaignArbiter {
  const hidden = `${folder}.hidden`;
  return {
    hide: () => renameSync(folder, hidden),
    show: () => renameSync(hidden, folder),
  };
}

export function etcdArbiter(cluster: EtcdCluster): CampaignArbiter {
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): void => {
    for (const at of cluster.members.keys()) cluster.signal(at, name);
  };
  return { hide: () => signal('SIGSTOP'), show: () => signal('SIGCONT') };
}
