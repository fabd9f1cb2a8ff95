/**
 * A gRPC server as every node of this project has it: limits set, closed by default, with the
 * standard health and reflection services.
 *
 * What it is not: it knows no role. The health status of `lockstep.v1.MachineService` says which
 * node is primary, so that any gRPC load balancer or probe can find it; the node sets it.
 */

import { chmod, readFile } from 'node:fs/promises';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import { LockstepError } from '../base/error.js';
import { formatAddress, parseAddress, requireLocal, type Address } from './address.js';
import { clearSocketFile } from './socket-file.js';
import {
  KEEPALIVE_TIMEOUT_MS,
  KEEPALIVE_TIME_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_MESSAGE_BYTES,
  MAX_SESSION_MEMORY_MB,
} from './limits.js';

/** The file that describes proto/lockstep/v1 to reflection; it ships with the package. */
const DESCRIPTOR_URL = new URL('../../../proto/descriptor.binpb', import.meta.url);

export const PRIMARY_HEALTH_SERVICE = 'lockstep.v1.MachineService';

export interface RpcServer {
  /** Where the server listens, with the port that was chosen. */
  readonly address: string;
  /** Says by the health service whether this node is the active primary. */
  setPrimary(active: boolean): void;
  /** Ends every call at once and closes the port. */
  close(): Promise<void>;
}

/** `register` adds the services before the port opens. Errors: USAGE, INSECURE, IO. */
export async function serveRpc(
  listen: string,
  register: (server: Server) => void,
): Promise<RpcServer> {
  const wanted = parseAddress(listen);
  requireLocal(wanted, '--listen');
  if (wanted.kind === 'unix') await clearSocketFile(wanted.path);

  const server = new Server({
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
    'grpc-node.max_session_memory': MAX_SESSION_MEMORY_MB,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
  });
  const health = new HealthImplementation({
    '': 'SERVING',
    [PRIMARY_HEALTH_SERVICE]: 'NOT_SERVING',
  });
  health.addToServer(server);
  const descriptors = loadFileDescriptorSetFromBuffer(await readFile(DESCRIPTOR_URL));
  new ReflectionService(descriptors).addToServer(server);
  register(server);

  const bound = await bind(server, wanted);
  if (bound.kind === 'unix') await chmod(bound.path, 0o600);
  return {
    address: formatAddress(bound),
    setPrimary: (active) =>
      health.setStatus(PRIMARY_HEALTH_SERVICE, active ? 'SERVING' : 'NOT_SERVING'),
    close: () => {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function bind(server: Server, wanted: Address): Promise<Address> {
  const target = formatAddress(wanted);
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) => {
      if (error !== null) {
        server.forceShutdown();
        const hint = 'is another process using it? Port 0 chooses a free one';
        reject(
          new LockstepError('IO', `can't listen on ${target}: ${error.message}; ${hint}`, {
            address: target,
          }),
        );
        return;
      }
      resolve(wanted.kind === 'tcp' ? { ...wanted, port } : wanted);
    });
  });
}
