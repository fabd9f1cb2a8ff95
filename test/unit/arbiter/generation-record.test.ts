/**
 * Goal: a record is read back as it was written, and nothing else is taken for one.
 * Method: round trip, records with a field missing or wrong, names at the limits.
 */

import test from 'ava';
import {
  checkMachineId,
  encodeRecord,
  parseRecord,
} from '../../../lib/arbiter/generation-record.js';

const claim = {
  machine: 'm',
  generation: 9_223_372_036_854_775_807n,
  holder: { address: '127.0.0.1:7001', incarnation: 'a"b\\c' },
};

test('a record is read back as it was written', (t) => {
  const text = encodeRecord(claim);
  t.true(text.endsWith('\n'));
  t.deepEqual(parseRecord(text), claim);
});

test('what is JSON but no record is none', (t) => {
  for (const text of ['null', '7', '[]', '{}', '{"generation":7}', '{"generation":"-1"}']) {
    t.is(parseRecord(text), null, text);
  }
  t.throws(() => parseRecord('{"machine":'), { instanceOf: SyntaxError });
});

test('a machine id is a name that files and keys may bear', (t) => {
  t.notThrows(() => checkMachineId('m'.repeat(64)));
  for (const id of ['', '.m', 'a/b', 'm'.repeat(65), 'm n']) {
    t.like(
      t.throws(() => checkMachineId(id)),
      { code: 'USAGE' },
    );
  }
});
