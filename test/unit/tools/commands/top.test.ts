/**
 * Goal: `lockstep top` shows what happened between two answers, and nothing that did not.
 * Method: answers made up, with what differs between them known.
 */

import test from 'ava';
import { GetStatusResponse, Role } from '../../../../lib/rpc/generated/lockstep/v1/machine.js';
import { ratesOf, rowOf } from '../../../../tools/commands/top.js';
import { alignColumns, type Answer } from '../../../../tools/commands/status.js';

function answer(parts: Parameters<typeof GetStatusResponse.fromPartial>[0]): Answer {
  const status = GetStatusResponse.fromPartial({ node: 'a', role: Role.PRIMARY, ...parts });
  return { address: 'here:1', status, failure: '' };
}

const ENGINE = {
  regions: 3n,
  regionsCompiled: 10n,
  regionsDropped: 7n,
  codeBytes: 20_400n,
  compileSeconds: 0.25,
};
const FIRST = answer({ uptimeSeconds: 10, steps: [1_000n], virtualTime: 0n, engine: ENGINE });
const SECOND = answer({
  uptimeSeconds: 12,
  steps: [200_001_000n],
  virtualTime: 10_000_000n,
  engine: { ...ENGINE, regionsCompiled: 14n, compileSeconds: 0.75 },
});

test('rates are differences over the time between two answers', (t) => {
  t.deepEqual(ratesOf(FIRST, SECOND), {
    steps: 100_000_000,
    virtualTime: 0.5,
    compiled: 2,
    dropped: 0,
    compiling: 0.25,
  });
  const row = rowOf(SECOND, ratesOf(FIRST, SECOND));
  for (const cell of ['primary', '100.0', '0.50x', '3', '2', '20 kB', '25.0 %']) {
    t.true(row.includes(cell), cell);
  }
});

test('a node that began anew, or did not answer, has no rates', (t) => {
  t.is(ratesOf(undefined, SECOND), null);
  t.is(ratesOf(FIRST, answer({ node: 'b', uptimeSeconds: 20 })), null);
  const silent = { address: 'there:2', status: null, failure: 'refused' };
  t.is(ratesOf(FIRST, silent), null);
  t.deepEqual(rowOf(silent, null), ['there:2', 'no answer: refused']);
  t.true(rowOf(SECOND, null).includes('-'));
  const old = answer({ uptimeSeconds: 20, steps: [200_001_000n] });
  t.is(ratesOf(SECOND, old)?.compiled, 0, 'a version without an engine');
});

test('a long complaint widens no column', (t) => {
  const [head = '', , whole = ''] = alignColumns([
    ['A', 'B', 'C'],
    ['node', 'a complaint that is longer than all columns'],
    ['node', 'x', 'y'],
  ]);
  t.is(head.indexOf('C'), whole.indexOf('y'));
});
