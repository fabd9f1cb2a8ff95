/**
 * Goal: a throttled guest runs for its share of the time, and one long slice costs it little.
 */

import test from 'ava';
import { DEBT_MAX_MS, ThrottleDebt } from '../../../lib/host/throttle-debt.js';

test('a guest with a quarter of the time stands still for three times as long as it runs', (t) => {
  const debt = new ThrottleDebt();
  t.is(debt.ran(2, 250), 6);
  debt.stood(6);
  t.is(debt.ran(2, 250), 6);
});

test('what was not stood still for is owed on', (t) => {
  const debt = new ThrottleDebt();
  debt.ran(2, 250);
  debt.stood(1);
  t.is(debt.ran(1, 500), 6);
});

test('a slice that the host interrupted costs no second', (t) => {
  const debt = new ThrottleDebt();
  t.is(debt.ran(40, 20), DEBT_MAX_MS);
});

test('a guest with its whole budget owes nothing', (t) => {
  const debt = new ThrottleDebt();
  debt.ran(40, 20);
  t.is(debt.ran(5, 1000), 0);
  t.is(debt.ran(0, 20), 0);
});
