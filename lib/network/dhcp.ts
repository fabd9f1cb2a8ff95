/**
 * A DHCP server (RFC 2131) for the machines' network: each card gets one address, for ever.
 *
 * Leases never run out, so a machine that stood still, or goes on elsewhere, keeps its address
 * without asking. The first card gets the first address.
 */

import {
  FIRST_GUEST_IP,
  GATEWAY_IP,
  LAST_GUEST_IP,
  NAME_SERVER_IP,
  NETMASK,
} from './gateway-contract.js';
import { readMac, viewOf, writeMac } from './ethernet.js';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

const FIXED_BYTES = 240;
const COOKIE_AT = 236;
const COOKIE = 0x6382_5363;
const HARDWARE_AT = 28;
const YOUR_IP_AT = 16;
const SERVER_IP_AT = 20;
const OPTION = {
  pad: 0,
  netmask: 1,
  router: 3,
  nameServer: 6,
  requestedIp: 50,
  leaseSeconds: 51,
  messageType: 53,
  server: 54,
  end: 255,
} as const;
const MESSAGE = { discover: 1, offer: 2, request: 3, decline: 4, acknowledge: 5, refuse: 6 };
const FOR_EVER = 0xffff_ffff;

export class DhcpServer {
  private readonly leases = new Map<number, number>();

  /** The answer to a client's message, null for none. */
  answer(request: Uint8Array): Uint8Array | null {
    if (request.length < FIXED_BYTES) return null;
    const view = viewOf(request);
    const isRequest = view.getUint8(0) === 1 && view.getUint16(1) === 0x0106;
    if (!isRequest || view.getUint32(COOKIE_AT) !== COOKIE) return null;
    const options = readOptions(request.subarray(FIXED_BYTES));
    const type = options.get(OPTION.messageType)?.[0];
    if (type !== MESSAGE.discover && type !== MESSAGE.request) return null;
    const server = ipOf(options.get(OPTION.server));
    if (server !== null && server !== GATEWAY_IP) return null;
    const lease = this.leaseOf(readMac(view, HARDWARE_AT));
    if (lease === null) return null;
    if (type === MESSAGE.discover) return reply(request, MESSAGE.offer, lease);
    const current = view.getUint32(12);
    const wanted = ipOf(options.get(OPTION.requestedIp)) ?? (current === 0 ? lease : current);
    return reply(request, wanted === lease ? MESSAGE.acknowledge : MESSAGE.refuse, lease);
  }

  private leaseOf(mac: number): number | null {
    const known = this.leases.get(mac);
    if (known !== undefined) return known;
    const next = FIRST_GUEST_IP + this.leases.size;
    if (next > LAST_GUEST_IP) return null;
    this.leases.set(mac, next);
    return next;
  }
}

function readOptions(bytes: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const kind = bytes[at] ?? OPTION.end;
    if (kind === OPTION.end) break;
    if (kind === OPTION.pad) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    const value = bytes.subarray(at + 2, at + 2 + length);
    if (value.length < length) break;
    options.set(kind, value);
    at += 2 + length;
  }
  return options;
}

function ipOf(value: Uint8Array | undefined): number | null {
  return value?.length === 4 ? viewOf(value).getUint32(0) : null;
}

function reply(request: Uint8Array, type: number, lease: number): Uint8Array {
  const fields: [number, number][] = [[OPTION.server, GATEWAY_IP]];
  if (type !== MESSAGE.refuse) {
    fields.push(
      [OPTION.leaseSeconds, FOR_EVER],
      [OPTION.netmask, NETMASK],
      [OPTION.router, GATEWAY_IP],
      [OPTION.nameServer, NAME_SERVER_IP],
    );
  }
  const options = [OPTION.messageType, 1, type];
  for (const [kind, value] of fields) {
    options.push(kind, 4, ...[24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff));
  }
  options.push(OPTION.end);
  // Clients may expect a message of the length that BOOTP had.
  const bytes = new Uint8Array(Math.max(300, FIXED_BYTES + options.length));
  const view = viewOf(bytes);
  const asked = viewOf(request);
  view.setUint8(0, 2);
  view.setUint16(1, 0x0106);
  view.setUint32(4, asked.getUint32(4));
  view.setUint16(10, asked.getUint16(10));
  if (type !== MESSAGE.refuse) view.setUint32(YOUR_IP_AT, lease);
  view.setUint32(SERVER_IP_AT, GATEWAY_IP);
  writeMac(view, HARDWARE_AT, readMac(asked, HARDWARE_AT));
  view.setUint32(COOKIE_AT, COOKIE);
  bytes.set(options, FIXED_BYTES);
  return bytes;
}
