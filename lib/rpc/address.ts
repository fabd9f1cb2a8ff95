/**
 * Where a node listens or dials: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
 *
 * Closed by default: without TLS only loopback and unix sockets are allowed, on both ends. A name
 * other than `localhost` counts as beyond loopback, whatever it resolves to today.
 */

import { LockstepError } from '../base/error.js';

export type Address =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** Longest path of a unix socket that Linux binds (sun_path without its final zero). */
const MAX_UNIX_PATH_BYTES = 107;

export function parseAddress(text: string): Address {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length).replace(/^\/\/(?=\/)/, '');
    if (path === '') throw new LockstepError('USAGE', `no path in the address "${text}"`);
    if (Buffer.byteLength(path) > MAX_UNIX_PATH_BYTES) {
      throw new LockstepError(
        'USAGE',
        `the socket path "${path}" is longer than ${MAX_UNIX_PATH_BYTES} bytes; use a shorter one`,
      );
    }
    return { kind: 'unix', path };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || !(port <= 65535)) {
    throw new LockstepError('USAGE', `"${text}" is no address; write HOST:PORT or unix:PATH`);
  }
  return { kind: 'tcp', host, port };
}

export function formatAddress(address: Address): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

/** True if nothing outside this machine can reach the address. */
export function isLocal(address: Address): boolean {
  if (address.kind === 'unix') return true;
  const host = address.host.toLowerCase();
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Refuses plaintext beyond loopback. */
export function requireLocal(address: Address, purpose: string): void {
  if (isLocal(address)) return;
  throw new LockstepError(
    'INSECURE',
    `${purpose} ${formatAddress(address)} would leave this machine without encryption; ` +
      'use 127.0.0.1, [::1] or unix:PATH, and an encrypted tunnel between hosts',
    { address: formatAddress(address) },
  );
}
