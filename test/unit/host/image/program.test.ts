/**
 * Goal: a missing tool is named, with what it is for.
 * Method: one that every system has, and one that none has.
 */

import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { findProgram, requireProgram } from '../../../../lib/host/image/program.js';

test('a program on the path is found', async (t) => {
  t.regex((await findProgram('sh')) ?? '', /^\/.*\/sh$/);
});

test('a missing program is MISSING_TOOL', async (t) => {
  const failure = await t.throwsAsync(requireProgram('no-such-tool', 'do the impossible'), {
    instanceOf: LockstepError,
  });
  t.is(failure.code, 'MISSING_TOOL');
  t.is(failure.message, 'no-such-tool is not installed; it is needed to do the impossible');
});
