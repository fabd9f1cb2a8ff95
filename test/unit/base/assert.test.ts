/**
 * Goal: a broken invariant stops whoever runs into it, with the message that names the numbers.
 * Method: each function with and without the fault.
 */

import test from 'ava';
import { assert, AssertionError, present, unreachable } from '../../../lib/base/assert.js';

test('an assertion that holds does nothing, one that fails throws its message', (t) => {
  t.notThrows(() => assert(true, 'unused'));
  t.throws(() => assert(false, 'acked 3 beyond sent 2'), {
    instanceOf: AssertionError,
    message: 'acked 3 beyond sent 2',
    name: 'AssertionError',
  });
});

test('a detail is told behind the message', (t) => {
  t.throws(() => assert(false, 'not beyond the limit', 7n), { message: 'not beyond the limit: 7' });
  t.throws(() => assert(false, 'a word', 0), { message: 'a word: 0' });
});

test('present gives zero and the empty text, and refuses what is missing', (t) => {
  t.is(present(0, 'number'), 0);
  t.is(present('', 'text'), '');
  t.is(present(false, 'flag'), false);
  for (const missing of [undefined, null]) {
    t.throws(() => present(missing, 'page 7'), { message: 'missing: page 7' });
  }
});

test('a value that no case of a union has names itself', (t) => {
  t.throws(() => unreachable({ kind: 'new' } as never), {
    instanceOf: AssertionError,
    message: /"kind":"new"/,
  });
});
