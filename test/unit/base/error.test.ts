/**
 * Goal: every expected failure has a code of its own, and every code an exit status of its own.
 * Method: the table of exit statuses against docs/OPERATING.md and against itself.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { EXIT_STATUS, LockstepError } from '../../../lib/base/error.js';
import { REPOSITORY } from '../../support/qemu.js';

test('an error carries its code, its message and its fields', (t) => {
  const error = new LockstepError('NOT_PRIMARY', 'ask the other one', {
    epoch: 7n,
    address: 'x:1',
  });
  t.is(error.code, 'NOT_PRIMARY');
  t.is(error.message, 'ask the other one');
  t.deepEqual(error.fields, { epoch: 7n, address: 'x:1' });
  t.is(error.name, 'LockstepError');
  t.true(error instanceof Error);
  t.deepEqual(new LockstepError('IO', 'disk full').fields, {});
});

test('exit statuses differ from each other, from success and from an uncaught exception', (t) => {
  const statuses = Object.values(EXIT_STATUS);
  t.is(new Set(statuses).size, statuses.length);
  for (const status of statuses) t.true(status >= 2 && status < 126, `${status}`);
});

test('every exit status is documented with its code', (t) => {
  const text = readFileSync(join(REPOSITORY, 'docs/OPERATING.md'), 'utf8');
  for (const [code, status] of Object.entries(EXIT_STATUS)) {
    t.regex(text, new RegExp(`\\| *${status} *\\| *\`${code}\``), code);
  }
});
