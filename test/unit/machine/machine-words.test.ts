/**
 * Goal: the words of a machine are saved as a copy, put back whole, and named.
 * Method: the machine of unit tests.
 */

import test from 'ava';
import { Guest } from '../../support/program.js';

test('each word of a machine has one name', (t) => {
  const { machine } = new Guest();
  const names = Array.from(machine.words(), (_, index) => machine.wordName(index));
  t.is(new Set(names).size, names.length);
  t.true(names.includes('hart0.pc'), names.join(' '));
});

test('words of another size are refused', (t) => {
  const { machine } = new Guest();
  const words = machine.saveWords();
  t.throws(() => machine.restore(words.subarray(8), []), { code: 'BAD_SNAPSHOT' });
  words.fill(0);
  t.notDeepEqual(machine.saveWords(), words, 'what was saved is a copy');
});
