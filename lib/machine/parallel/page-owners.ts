/**
 * Who has each page of RAM: nobody, any number of readers, or one writer (page ownership).
 *
 * A word has one bit for each hart that may read, and WRITER where the only one may write too. A
 * hart that runs adds itself where that is in nobody's way; everything else happens while the
 * others stand.
 */

import type { PageMode } from '../../riscv/page-rights.js';
import type { SharedWords } from './shared-words.js';

const WRITER = 1 << 8;

/** True if the hart has the page in `mode` now, without taking anything from another. */
export function joinPage(words: SharedWords, hart: number, page: number, mode: PageMode): boolean {
  const own = 1 << hart;
  for (;;) {
    const known = Atomics.load(words.owners, page);
    const others = known & ~(own | WRITER);
    if (others !== 0 && (mode === 'write' || (known & WRITER) !== 0)) return false;
    const next = mode === 'write' ? own | WRITER : known | own;
    if (known === next) return true;
    if (Atomics.compareExchange(words.owners, page, known, next) === known) return true;
  }
}

/** Gives the page to the hart. All others stand, and are told what they lose. */
export function takePage(words: SharedWords, hart: number, page: number, mode: PageMode): void {
  const own = 1 << hart;
  const known = Atomics.load(words.owners, page);
  const isWritten = (known & WRITER) !== 0;
  for (let other = 0; other < words.harts; other++) {
    if (other === hart || (known & (1 << other)) === 0) continue;
    if (mode === 'write') words.addLoss(other, page, 'nothing');
    else if (isWritten) words.addLoss(other, page, 'read');
  }
  const others = known & ~(own | WRITER);
  const stays = others === 0 && isWritten ? WRITER : 0;
  Atomics.store(words.owners, page, mode === 'write' ? own | WRITER : others | own | stays);
}

/** Nobody has any page: who needs one asks again. */
export function forgetOwners(words: SharedWords): void {
  words.owners.fill(0);
}
