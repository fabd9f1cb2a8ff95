/** Shared words of some harts without a machine around them, for tests of one part. */

import { sharedRegions, SharedWords } from '../../../../lib/machine/parallel/shared-words.js';
import { planLayout } from '../../../../lib/memory/layout.js';

export function sharedWords(harts: number): SharedWords {
  const ramBytes = 65_536;
  const layout = planLayout({ ramBytes, blocks: [], derived: sharedRegions(ramBytes / 4096) });
  return new SharedWords(harts, layout, new SharedArrayBuffer(layout.totalBytes));
}
