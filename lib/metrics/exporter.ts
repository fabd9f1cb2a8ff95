/**
 * Serves the metrics of one node to Prometheus: GET /metrics and nothing else.
 *
 * It stays up through a promotion, so that the same target changes its role. The caller decides
 * which addresses are allowed; nothing secret and nothing of the guest is in a metric.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { LockstepError } from '../base/error.js';
import type { NodeMetrics } from './registry.js';

/** A request is one short line; whoever sends more is refused by the parser. */
const MAX_HEADER_BYTES = 8 * 1024;
const MAX_CONNECTIONS = 32;
const REQUEST_TIMEOUT_MS = 5_000;

export interface MetricsExporter {
  /** HOST:PORT with the port that was chosen. */
  readonly address: string;
  close(): Promise<void>;
}

/** Errors: IO if the port can't be opened. */
export async function exportMetrics(
  metrics: NodeMetrics,
  listen: { readonly host: string; readonly port: number },
): Promise<MetricsExporter> {
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      answer(metrics, request, response).catch(() => response.destroy());
    },
  );
  server.maxConnections = MAX_CONNECTIONS;
  const port = await open(server, listen);
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host;
  return {
    address: `${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function open(server: Server, listen: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const place = `${listen.host}:${listen.port}`;
      reject(new LockstepError('IO', `metrics can't be served on ${place}: ${error.message}`));
    });
    server.listen(listen.port, listen.host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : listen.port);
    });
  });
}

async function answer(
  metrics: NodeMetrics,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  request.resume();
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== '/metrics') {
    response.writeHead(404, { 'content-type': 'text/plain' }).end('see /metrics\n');
    return;
  }
  if (request.method !== 'GET') {
    response.writeHead(405, { allow: 'GET', 'content-type': 'text/plain' }).end('GET only\n');
    return;
  }
  const text = await metrics.render();
  response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
}
