/**
 * What a role does for callers. A node serves on one address all its life; promotion changes the
 * role behind it, so that clients and scrapers keep their target.
 */

import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import { LockstepError } from '../base/error.js';
import type { AttachRequest, AttachResponse } from '../rpc/generated/lockstep/v1/console.js';
import type { GetStatusResponse } from '../rpc/generated/lockstep/v1/machine.js';
import type {
  ReplicateRequest,
  ReplicateResponse,
} from '../rpc/generated/lockstep/v1/replication.js';
import type { WatchRequest, WatchResponse } from '../rpc/generated/lockstep/v1/watch.js';

export type ReplicateCall = ServerDuplexStream<ReplicateRequest, ReplicateResponse>;
export type AttachCall = ServerDuplexStream<AttachRequest, AttachResponse>;
export type WatchCall = ServerWritableStream<WatchRequest, WatchResponse>;

/** What a role knows of itself; the node adds who and where it is. */
export type RoleStatus = Omit<
  GetStatusResponse,
  'machineId' | 'node' | 'address' | 'uptimeSeconds' | 'promotions'
>;

export interface RoleServices {
  status(): RoleStatus;
  replicate(call: ReplicateCall): void;
  attach(call: AttachCall): void;
  watch(call: WatchCall): void;
}

/** What a node that is not primary answers; it names the primary where it knows it. */
export function notPrimary(primary: string | null, epoch: bigint): LockstepError {
  const where = primary === null ? '' : `; the primary is at ${primary}`;
  return new LockstepError('NOT_PRIMARY', `this node is not the primary${where}`, {
    ...(primary === null ? {} : { primary }),
    epoch,
  });
}
