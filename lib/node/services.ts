/**
 * The four services of proto/lockstep/v1, each call passed to the role that the node has now.
 */

import type { Server, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { LockstepError } from '../base/error.js';
import { ConsoleServiceService } from '../rpc/generated/lockstep/v1/console.js';
import {
  MachineServiceService,
  type GetStatusRequest,
  type GetStatusResponse,
} from '../rpc/generated/lockstep/v1/machine.js';
import { WatchServiceService } from '../rpc/generated/lockstep/v1/watch.js';
import { failCall } from '../rpc/calls.js';
import { FAST_REPLICATION_SERVICE } from '../rpc/replicate-codec.js';
import { statusOfError } from '../rpc/status-table.js';
import type { AttachCall, ReplicateCall, RoleServices, WatchCall } from './role.js';

export interface ServiceSource {
  /** Null until the node has a role. */
  role(): RoleServices | null;
  status(role: RoleServices): GetStatusResponse;
}

export function addServices(server: Server, source: ServiceSource): void {
  const role = (): RoleServices => {
    const current = source.role();
    if (current === null) throw new LockstepError('IO', 'this node is starting; try again');
    return current;
  };
  server.addService(FAST_REPLICATION_SERVICE, {
    replicate: (call: ReplicateCall) => pass(call, () => role().replicate(call)),
  });
  server.addService(ConsoleServiceService, {
    attach: (call: AttachCall) => pass(call, () => role().attach(call)),
  });
  server.addService(WatchServiceService, {
    watch: (call: WatchCall) => pass(call, () => role().watch(call)),
  });
  server.addService(MachineServiceService, {
    getStatus: (
      _call: ServerUnaryCall<GetStatusRequest, GetStatusResponse>,
      answer: sendUnaryData<GetStatusResponse>,
    ) => {
      try {
        answer(null, source.status(role()));
      } catch (error) {
        answer(statusOfError(error));
      }
    },
  });
}

/** A failure to begin a call ends that call, never the process. */
function pass(call: ReplicateCall | AttachCall | WatchCall, begin: () => void): void {
  try {
    begin();
  } catch (error) {
    failCall(call, error);
  }
}
