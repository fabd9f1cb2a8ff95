/**
 * Channel options of every client of this project, and the unary call as a promise.
 *
 * The client owns the flow-control window of the log (see limits.ts). Retries are off: whoever
 * calls here knows better than the channel what may be done twice.
 */

import { credentials, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { formatAddress, parseAddress, requireLocal } from './address.js';
import {
  FLOW_CONTROL_WINDOW_BYTES,
  KEEPALIVE_TIMEOUT_MS,
  KEEPALIVE_TIME_MS,
  MAX_MESSAGE_BYTES,
  UNARY_DEADLINE_MS,
} from './limits.js';
import { errorOfStatus } from './status-table.js';

export interface ClientTarget {
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly options: ChannelOptions;
}

/** Errors: USAGE for no address, INSECURE for one beyond loopback. */
export function clientTarget(connect: string): ClientTarget {
  const address = parseAddress(connect);
  requireLocal(address, 'a connection to');
  return {
    target: formatAddress(address),
    credentials: credentials.createInsecure(),
    options: {
      'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
      // A killed node is dialled again at once by the caller; the channel must not sit in back-off.
      'grpc.initial_reconnect_backoff_ms': 20,
      'grpc.max_reconnect_backoff_ms': 250,
      // A unix socket has no host name that HTTP/2 would take for an authority.
      ...(address.kind === 'unix' ? { 'grpc.default_authority': 'localhost' } : {}),
    },
  };
}

type UnaryMethod<Q, S> = (
  request: Q,
  options: { deadline: number },
  callback: (error: Error | null, response: S) => void,
) => unknown;

/** One unary call with a deadline; a failure is the peer's LockstepError or IO. */
export function callUnary<Q, S>(
  method: UnaryMethod<Q, S>,
  request: Q,
  timeoutMs: number = UNARY_DEADLINE_MS,
): Promise<S> {
  return new Promise((resolve, reject) => {
    method(request, { deadline: Date.now() + timeoutMs }, (error, response) => {
      if (error === null) resolve(response);
      else reject(errorOfStatus(error));
    });
  });
}
