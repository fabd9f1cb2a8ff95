/**
 * google.rpc.Status with one google.rpc.ErrorInfo, the form in which gRPC clients of any language
 * find the reason of a failed call (trailer `grpc-status-details-bin`).
 *
 * Only the two messages and the fields used here are encoded, in the public wire format; unknown
 * fields of others are skipped. Writer and reader stand together.
 */

import protobuf from 'protobufjs/minimal.js';

/** `reason` is an UPPER_SNAKE code; `metadata` holds what a program needs to react. */
export interface ErrorInfo {
  readonly reason: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export const ERROR_DOMAIN = 'lockstep';
const ERROR_INFO_TYPE = 'type.googleapis.com/google.rpc.ErrorInfo';
/** More pairs than any of our errors has; a hostile trailer can't make us collect more. */
const MAX_METADATA_PAIRS = 64;

export function encodeStatusDetails(code: number, message: string, info: ErrorInfo): Uint8Array {
  const inner = protobuf.Writer.create()
    .uint32(10)
    .string(info.reason)
    .uint32(18)
    .string(ERROR_DOMAIN);
  for (const [key, value] of Object.entries(info.metadata)) {
    inner.uint32(26).fork().uint32(10).string(key).uint32(18).string(value).ldelim();
  }
  const outer = protobuf.Writer.create()
    .uint32(8)
    .int32(code)
    .uint32(18)
    .string(message)
    .uint32(26)
    .fork();
  return outer
    .uint32(10)
    .string(ERROR_INFO_TYPE)
    .uint32(18)
    .bytes(inner.finish())
    .ldelim()
    .finish();
}

/** The ErrorInfo of this project in `bytes`, or null if there is none or the bytes are garbage. */
export function decodeStatusDetails(bytes: Uint8Array): ErrorInfo | null {
  try {
    const reader = protobuf.Reader.create(bytes);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag !== 26) {
        reader.skipType(tag & 7);
        continue;
      }
      const info = readAny(reader.bytes());
      if (info !== null) return info;
    }
  } catch {
    // Details are a help, not a contract: a status without readable details is still a status.
    return null;
  }
  return null;
}

function readAny(bytes: Uint8Array): ErrorInfo | null {
  const reader = protobuf.Reader.create(bytes);
  let type = '';
  let value: Uint8Array | null = null;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 10) type = reader.string();
    else if (tag === 18) value = reader.bytes();
    else reader.skipType(tag & 7);
  }
  return type === ERROR_INFO_TYPE && value !== null ? readErrorInfo(value) : null;
}

function readErrorInfo(bytes: Uint8Array): ErrorInfo | null {
  const reader = protobuf.Reader.create(bytes);
  let reason = '';
  let domain = '';
  const metadata = new Map<string, string>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 10) reason = reader.string();
    else if (tag === 18) domain = reader.string();
    else if (tag === 26 && metadata.size < MAX_METADATA_PAIRS) readPair(reader.bytes(), metadata);
    else reader.skipType(tag & 7);
  }
  return domain === ERROR_DOMAIN ? { reason, metadata: Object.fromEntries(metadata) } : null;
}

function readPair(bytes: Uint8Array, into: Map<string, string>): void {
  const reader = protobuf.Reader.create(bytes);
  let key = '';
  let value = '';
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 10) key = reader.string();
    else if (tag === 18) value = reader.string();
    else reader.skipType(tag & 7);
  }
  into.set(key, value);
}
