/**
 * Goal: an error crosses gRPC without losing its code or its fields, and hostile details do no
 * harm.
 * Method: every code there and back; details cut and mutated.
 */

import { Metadata, status, type ServiceError } from '@grpc/grpc-js';
import test from 'ava';
import { EXIT_STATUS, LockstepError, type ErrorCode } from '../../../lib/base/error.js';
import { closeReasonOf, errorOfCloseReason } from '../../../lib/rpc/close-reason.js';
import { decodeStatusDetails, encodeStatusDetails } from '../../../lib/rpc/error-details.js';
import { errorOfStatus, STATUS_OF_CODE, statusOfError } from '../../../lib/rpc/status-table.js';
import { Random } from '../../support/random.js';

function received(error: unknown): ServiceError {
  const { code, details, metadata } = statusOfError(error);
  return Object.assign(new Error(details), { code, details, metadata: metadata.clone() });
}

test('every error code comes back with its message and fields', (t) => {
  for (const code of Object.keys(EXIT_STATUS)) {
    t.true(code in STATUS_OF_CODE);
    const error = new LockstepError(code as ErrorCode, `about ${code}`, {
      epoch: 7n,
      primary: 'a',
    });
    const back = errorOfStatus(received(error));
    t.like(back, { code, message: `about ${code}`, fields: { epoch: '7', primary: 'a' } });
  }
});

test('a defect tells a peer nothing but that it is one', (t) => {
  const { code, details } = statusOfError(new Error('secret path'));
  t.is(code, status.INTERNAL);
  t.is(details, 'internal failure');
});

test('a status without readable details is IO with the status in words', (t) => {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from('garbage'));
  const error = Object.assign(new Error('x'), { code: 14, details: 'gone', metadata });
  t.like(errorOfStatus(error), { code: 'IO', message: 'gone (UNAVAILABLE)' });
});

test('every reason to close a stream comes back as itself', (t) => {
  const reasons = ['stopped', 'busy', 'incompatible', 'not-primary', 'stale-epoch'] as const;
  const more = ['protocol-violation', 'timeout', 'snapshot-failed', 'diverged'] as const;
  for (const reason of [...reasons, ...more]) {
    t.is(closeReasonOf(errorOfStatus(received(errorOfCloseReason(reason, 'd')))), reason);
  }
  t.is(closeReasonOf(new LockstepError('IO', 'x', { close_reason: 'toString' })), null);
});

test('damaged details are refused or read, never thrown', (t) => {
  const info = { reason: 'FENCED', metadata: { epoch: '9', primary: '127.0.0.1:1' } };
  const whole = encodeStatusDetails(9, 'fenced', info);
  t.deepEqual(decodeStatusDetails(whole), info);
  const random = new Random(1);
  for (let length = 0; length < whole.length; length += 1) {
    t.notThrows(() => decodeStatusDetails(whole.subarray(0, length)));
    const mutated = Uint8Array.from(whole);
    mutated[length] = random.below(256);
    t.notThrows(() => decodeStatusDetails(mutated));
  }
});
