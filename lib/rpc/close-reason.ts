/**
 * Why a primary ends a log stream, as a status and back.
 *
 * The reason travels in the ErrorInfo, so that the backup's core learns exactly what the
 * primary's core said; the error code is for people and for other clients.
 */

import { LockstepError, type ErrorCode } from '../base/error.js';
import type { CloseReason } from '../protocol/primary-contract.js';

const CODE: Readonly<Record<CloseReason, ErrorCode>> = {
  stopped: 'GUEST_STOPPED',
  busy: 'IO',
  incompatible: 'INCOMPATIBLE_PEER',
  'not-primary': 'NOT_PRIMARY',
  'stale-epoch': 'FENCED',
  'protocol-violation': 'BAD_LOG',
  timeout: 'IO',
  'snapshot-failed': 'BAD_SNAPSHOT',
  diverged: 'DIVERGED',
};

const TEXT: Readonly<Record<CloseReason, string>> = {
  stopped: 'the machine was switched off in order',
  busy: 'another backup is served; try again later',
  incompatible: 'the two nodes do not run the same machine',
  'not-primary': 'this node is not the primary',
  'stale-epoch': 'a newer epoch exists',
  'protocol-violation': 'the exchange broke its rules',
  timeout: 'nothing was heard for too long',
  'snapshot-failed': 'the snapshot failed',
  diverged: 'the replica differs from the primary',
};

const REASON_FIELD = 'close_reason';

export function errorOfCloseReason(
  reason: CloseReason,
  detail: string,
  fields: Readonly<Record<string, string | bigint>> = {},
): LockstepError {
  const message = detail === '' ? TEXT[reason] : `${TEXT[reason]}: ${detail}`;
  return new LockstepError(CODE[reason], message, { ...fields, [REASON_FIELD]: reason });
}

/** The reason that a peer gave, or null if the stream just broke. */
export function closeReasonOf(error: LockstepError): CloseReason | null {
  const text = error.fields[REASON_FIELD];
  const found = Object.keys(CODE).find((reason) => reason === text);
  return found !== undefined && isCloseReason(found) ? found : null;
}

function isCloseReason(text: string): text is CloseReason {
  return Object.hasOwn(CODE, text);
}
