/**
 * Goal: who derived something from a page is told when the page goes, once.
 * Method: pages noted and forgotten.
 */

import test from 'ava';
import { PageUsers } from '../../../lib/riscv/page-users.js';

const at = (page: number, high = 0) => ({ low: page << 12, high });

test('what was noted of a page is given once', (t) => {
  const users = new PageUsers(8);
  users.note(3, at(5));
  users.note(3, at(5));
  users.note(3, at(0xfffff, -1));
  t.deepEqual(users.take(3), [at(5), at(0xfffff, -1)]);
  t.deepEqual(users.take(3), []);
  t.deepEqual(users.take(4), []);
});

test('too many users of a page are "many" until everything is cleared', (t) => {
  const users = new PageUsers(8);
  for (const page of [1, 2, 3]) users.note(6, at(page));
  t.is(users.take(6), null);
  users.note(6, at(1));
  t.is(users.take(6), null);
  users.clear();
  users.note(6, at(9));
  t.deepEqual(users.take(6), [at(9)]);
});
