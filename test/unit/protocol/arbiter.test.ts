/**
 * Goal: a holder is one life of one process.
 * Method: change one part of it at a time.
 */

import test from 'ava';
import { sameHolder } from '../../../lib/protocol/arbiter.js';

test('a restarted process is another holder', (t) => {
  const holder = { address: '127.0.0.1:1', incarnation: 'a' };
  t.true(sameHolder(holder, { ...holder }));
  t.false(sameHolder(holder, { ...holder, incarnation: 'b' }));
  t.false(sameHolder(holder, { ...holder, address: '127.0.0.1:2' }));
});
