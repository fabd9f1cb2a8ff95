/**
 * Goal: with durable acknowledgements a power loss of both hosts costs nothing that a client has
 * seen, and no node goes on by itself; the campaign that shows it can fail.
 * Method: the campaign's power losses, a few of them, one after the other, since the environment
 * tells nodes where to note their flushes. With acknowledgements from memory nothing of the log was
 * flushed, which must be found.
 */

import test from 'ava';
import { complaintsOf, losePower } from '../support/power-loss.js';

test.serial('what a client has seen is on both disks when the power goes', async (t) => {
  for (const afterMs of [150, 700]) {
    const loss = await losePower('durable', afterMs);
    t.deepEqual(complaintsOf(loss), []);
    t.true(loss.seen > 0);
    t.log(`seen ${loss.seen}, kept ${loss.kept.join(' and ')}`);
  }
});

test.serial('with acknowledgements from memory the loss is found', async (t) => {
  const loss = await losePower('memory', 300);
  t.is(complaintsOf(loss).length, 2, 'both nodes have less than was seen');
  t.true(loss.lostBytes.every((bytes) => bytes > 0));
});
