/**
 * Error code ↔ gRPC status, exhaustive by its type: a new ErrorCode does not compile until it has
 * a row here.
 *
 * The rule: FAILED_PRECONDITION where the same call to the same node can't succeed (a client must
 * look elsewhere or change something), UNAVAILABLE where it may succeed later. The ErrorInfo in
 * the details carries the code itself, so that no information is lost in the mapping.
 */

import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { AssertionError } from '../base/assert.js';
import { EXIT_STATUS, LockstepError, type ErrorCode } from '../base/error.js';
import { decodeStatusDetails, encodeStatusDetails } from './error-details.js';

export const STATUS_OF_CODE: Readonly<Record<ErrorCode, status>> = {
  USAGE: status.INVALID_ARGUMENT,
  BAD_IMAGE: status.INVALID_ARGUMENT,
  BAD_LOG: status.OUT_OF_RANGE,
  BAD_SNAPSHOT: status.INVALID_ARGUMENT,
  INCOMPATIBLE_PEER: status.FAILED_PRECONDITION,
  NOT_PRIMARY: status.FAILED_PRECONDITION,
  FENCED: status.FAILED_PRECONDITION,
  DIVERGED: status.DATA_LOSS,
  ARBITER_UNAVAILABLE: status.UNAVAILABLE,
  IO: status.UNAVAILABLE,
  INSECURE: status.PERMISSION_DENIED,
  MISSING_TOOL: status.UNIMPLEMENTED,
  GUEST_STOPPED: status.FAILED_PRECONDITION,
};

const DETAILS_KEY = 'grpc-status-details-bin';

function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(EXIT_STATUS, text);
}

/** The status that ends a call which failed with `error`. */
export function statusOfError(error: unknown): StatusObject {
  const metadata = new Metadata();
  if (!(error instanceof LockstepError)) {
    const message = error instanceof AssertionError ? error.message : 'internal failure';
    return { code: status.INTERNAL, details: message, metadata };
  }
  const code = STATUS_OF_CODE[error.code];
  const fields = Object.entries(error.fields).map(([key, value]) => [key, String(value)] as const);
  const info = { reason: error.code, metadata: Object.fromEntries(fields) };
  metadata.set(DETAILS_KEY, Buffer.from(encodeStatusDetails(code, error.message, info)));
  return { code, details: error.message, metadata };
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error;
}

/**
 * What a client makes of a failed call: the peer's own error where it sent one, else IO with the
 * status in words.
 */
export function errorOfStatus(error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  if (!isServiceError(error)) {
    return new LockstepError('IO', error instanceof Error ? error.message : String(error));
  }
  const [details] = error.metadata.get(DETAILS_KEY);
  const info = details instanceof Uint8Array ? decodeStatusDetails(details) : null;
  if (info !== null && isErrorCode(info.reason)) {
    return new LockstepError(info.reason, error.details, info.metadata);
  }
  const name = status[error.code] ?? `status ${error.code}`;
  return new LockstepError('IO', `${error.details} (${name})`, { status: error.code });
}
