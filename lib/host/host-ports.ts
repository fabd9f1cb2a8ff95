/**
 * The ports of a recording session on a real host. What comes through them is logged, so nothing
 * that replays ever asks here.
 */

import { randomFillSync } from 'node:crypto';
import type { RecordPorts } from '../session/record-options.js';

export const HOST_PORTS: RecordPorts = {
  monotonicNs: () => process.hrtime.bigint(),
  randomBytes: (count) => randomFillSync(new Uint8Array(count)),
};
