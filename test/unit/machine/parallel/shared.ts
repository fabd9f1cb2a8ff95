/** Shared words without a machine. */

import { sharedRegions, SharedWords } from '../../../../lib/machine/parallel/shared-words.js';
import { planLayout } from '../../../../lib/memory/layout.js';

export function sharedWords(harts: number): SharedWords {
  const ramBytes = 65_536;
  const layout = planLayout({ ramBytes, blocks: [], derived: sharedRegions(ramBytes / 4096) });
  return new SharedWords(harts, layout, new SharedArrayBuffer(layout.totalBytes));
}
