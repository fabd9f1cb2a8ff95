/**
 * The step from backup to primary: the only place where the backup's code knows the primary's.
 *
 * The machine, the log and what is known of its output change hands; the ports of the process
 * stay as they are. The generation has been won and the log has been replayed to its end before.
 */

import type { Takeover } from '../lib/protocol/primary-contract.js';
import { Primary, type PrimaryParts } from '../primary/primary.js';

export { networkPlace } from '../primary/network.js';

export type Inheritance = Omit<PrimaryParts, 'takeover'>;

export function becomePrimary(inheritance: Inheritance, takeover: Takeover): Primary {
  inheritance.node.promotions += 1;
  const primary = new Primary({ ...inheritance, takeover });
  primary.start();
  return primary;
}
