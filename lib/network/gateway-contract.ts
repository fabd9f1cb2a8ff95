/**
 * What a gateway and the sockets of its host say to each other. Plain data, both ways.
 *
 * A stream is one TCP connection of the host, named by a number: a client of a forwarded port, or
 * a connection that a guest has asked for. A flow is one UDP socket of the host, for one port of
 * one guest.
 */

/** What guests may reach: nothing, the host's loopback at the gateway's address, or any address. */
export type Reach = 'none' | 'loopback' | 'any';

export interface GatewayOptions {
  readonly reach: Reach;
  /** Where the first sequence numbers begin; from a source that guests don't know. */
  readonly seed: number;
}

export type GatewayInput =
  /** An Ethernet frame for the gateway, or for everybody. */
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  /** The machines' frames may have been lost for a while: send again what is not acknowledged. */
  | { readonly kind: 'link-up' }
  /** A client has connected to a forwarded port. */
  | {
      readonly kind: 'client';
      readonly stream: number;
      readonly address: number;
      readonly port: number;
    }
  /** The answer to `connect`. */
  | { readonly kind: 'connected'; readonly stream: number; readonly ok: boolean }
  | { readonly kind: 'data'; readonly stream: number; readonly bytes: Uint8Array }
  /** The host's end sends no more. */
  | { readonly kind: 'ended'; readonly stream: number }
  | { readonly kind: 'failed'; readonly stream: number }
  /** The host's end has taken so many bytes of what was to be written. */
  | { readonly kind: 'written'; readonly stream: number; readonly count: number }
  | {
      readonly kind: 'datagram';
      readonly flow: number;
      readonly address: number;
      readonly port: number;
      readonly bytes: Uint8Array;
    }
  /** The answer to `resolve`, null for none. */
  | { readonly kind: 'resolved'; readonly query: number; readonly bytes: Uint8Array | null }
  | { readonly kind: 'tick' };

export type GatewayOutput =
  | { readonly kind: 'frame'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'connect';
      readonly stream: number;
      readonly address: number;
      readonly port: number;
    }
  | { readonly kind: 'write'; readonly stream: number; readonly bytes: Uint8Array }
  /** Nothing more will be written. */
  | { readonly kind: 'finish'; readonly stream: number }
  | { readonly kind: 'abort'; readonly stream: number }
  /** Read the host's end, or read no more of it: the guest's buffer is full. */
  | { readonly kind: 'read'; readonly stream: number; readonly on: boolean }
  | {
      readonly kind: 'send';
      readonly flow: number;
      readonly address: number;
      readonly port: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'close-flow'; readonly flow: number }
  /** A question for the host's name server. */
  | { readonly kind: 'resolve'; readonly query: number; readonly bytes: Uint8Array };

const octets = (a: number, b: number, c: number, d: number): number =>
  ((a * 256 + b) * 256 + c) * 256 + d;

/** The network of the machines, with the addresses that QEMU's user network has. */
export const NETWORK = octets(10, 0, 2, 0);
export const NETMASK = octets(255, 255, 255, 0);
export const GATEWAY_IP = octets(10, 0, 2, 2);
export const NAME_SERVER_IP = octets(10, 0, 2, 3);
/** The first address that DHCP gives, and the one that a forwarded port leads to by default. */
export const FIRST_GUEST_IP = octets(10, 0, 2, 15);
export const LAST_GUEST_IP = octets(10, 0, 2, 254);
export const LOOPBACK_IP = octets(127, 0, 0, 1);
export const GATEWAY_MAC = 0x52_55_0a_00_02_02;

/** Where on the host an address of the guest's view is; null for what it may not reach. */
export function hostAddress(address: number, reach: Reach): number | null {
  if (reach === 'none') return null;
  if (address === GATEWAY_IP) return LOOPBACK_IP;
  const isInside = ((address ^ NETWORK) & NETMASK) === 0;
  // Loopback, multicast and what is reserved are nobody's address on a network.
  const isUnicast = address >>> 24 > 0 && address >>> 24 !== 127 && address >>> 24 < 224;
  return reach === 'any' && !isInside && isUnicast ? address : null;
}

/** The address under which a guest knows a host. */
export function guestView(address: number): number {
  return address >>> 24 === 127 ? GATEWAY_IP : address;
}
