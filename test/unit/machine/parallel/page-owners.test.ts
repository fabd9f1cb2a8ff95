/**
 * Goal: a page has any number of readers or one writer, and who loses it is told what is left.
 * Method: random joins and takings by four harts, against a model.
 */

import test from 'ava';
import { joinPage, takePage } from '../../../../lib/machine/parallel/page-owners.js';
import { Random } from '../../../support/random.js';
import { sharedWords } from './shared.js';

test('readers and the writer are never there at once, and losses say so', (t) => {
  const words = sharedWords(4);
  const random = new Random(5);
  const readers = new Set<number>();
  let writer: number | null = null;
  for (let round = 0; round < 5000; round++) {
    const hart = random.below(4);
    const mode = random.pick(['read', 'write'] as const);
    const others = [...readers].filter((reader) => reader !== hart);
    const free = mode === 'read' ? writer === null || writer === hart : others.length === 0;
    t.is(joinPage(words, hart, 7, mode), free);
    if (!free) {
      takePage(words, hart, 7, mode);
      const lost = mode === 'write' ? others : [writer ?? -1];
      for (let other = 0; other < 4; other++) {
        const losses: string[] = [];
        words.takeLosses(other, (page, left) => losses.push(`${page} ${left}`));
        const left = mode === 'write' ? '7 nothing' : '7 read';
        t.deepEqual(losses, lost.includes(other) ? [left] : []);
      }
      if (mode === 'write') readers.clear();
      writer = null;
    }
    readers.add(hart);
    if (mode === 'write') writer = hart;
  }
});
