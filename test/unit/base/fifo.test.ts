/**
 * Goal: the queue answers as an array does of which the front is cut, and keeps little beyond it.
 */

import test from 'ava';
import { Fifo } from '../../../lib/base/fifo.js';
import { Random } from '../../support/random.js';

test('it answers as an array does', (t) => {
  const random = new Random(5);
  const fifo = new Fifo<number>();
  const array: number[] = [];
  for (let round = 0; round < 20_000; round += 1) {
    const action = random.below(100);
    if (action < 60) {
      fifo.push(round);
      array.push(round);
    } else if (action < 62) {
      const count = random.below(array.length + 1);
      fifo.drop(count);
      array.splice(0, count);
    } else if (action < 70) t.is(fifo.pop(), array.pop());
    const place = random.below(array.length + 2);
    if (fifo.length !== array.length || fifo.at(place) !== array[place]) t.fail(`round ${round}`);
    if (fifo.last() !== array.at(-1)) t.fail(`round ${round}`);
    if (round % 500 === 0) {
      t.deepEqual([...fifo], array);
      t.deepEqual(fifo.slice(2, 9), array.slice(2, 9));
    }
  }
});

test('one cannot drop more than there is', (t) => {
  const fifo = new Fifo<number>();
  fifo.push(1);
  t.throws(() => fifo.drop(2));
});
