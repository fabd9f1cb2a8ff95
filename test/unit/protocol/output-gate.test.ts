/**
 * Goal: the gate opens once for each commitment and never closes again.
 */

import test from 'ava';
import { OutputGate } from '../../../lib/protocol/output-gate.js';

test('output is held until its mark is committed', (t) => {
  const gate = new OutputGate(5n);
  t.deepEqual(gate.hold({ seq: 7n, bytes: 10 }, 1n, 0), []);
  t.is(gate.heldBytes, 10);
  t.deepEqual(gate.commit(6n, 1n), [{ kind: 'release', throughSeq: 6n, epoch: 1n }]);
  t.is(gate.heldBytes, 10);
  t.deepEqual(gate.commit(7n, 1n), [{ kind: 'release', throughSeq: 7n, epoch: 1n }]);
  t.is(gate.heldBytes, 0);
});

test('what is committed already leaves at once, with the present epoch', (t) => {
  const gate = new OutputGate(5n);
  t.deepEqual(gate.hold({ seq: 5n, bytes: 10 }, 3n, 0), [
    { kind: 'release', throughSeq: 5n, epoch: 3n },
  ]);
  t.is(gate.heldBytes, 0);
});

test('an older commitment changes nothing', (t) => {
  const gate = new OutputGate(5n);
  t.deepEqual(gate.commit(5n, 1n), []);
  t.deepEqual(gate.commit(4n, 1n), []);
  t.is(gate.committedSeq, 5n);
});
