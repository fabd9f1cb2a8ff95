/**
 * The UDP sockets of the host behind a gateway's flows, and the host's name servers.
 */

import { createSocket, type Socket } from 'node:dgram';
import { getServers } from 'node:dns';
import { isIPv6 } from 'node:net';
import type { GatewayInput } from '../lib/network/gateway-contract.js';
import { formatIp, parseIp } from '../lib/network/ipv4.js';

const NAME_PORT = 53;
const ANSWER_TIMEOUT_MS = 5_000;

export class HostDatagrams {
  private readonly give: (input: GatewayInput) => void;
  private readonly flows = new Map<number, Socket>();
  private readonly questions = new Set<Socket>();

  constructor(give: (input: GatewayInput) => void) {
    this.give = give;
  }

  send(flow: number, to: { address: number; port: number }, bytes: Uint8Array): void {
    // A datagram that can't be sent is lost, as it may be anywhere on its way.
    this.socketOf(flow).send(bytes, to.port, formatIp(to.address), () => undefined);
  }

  closeFlow(flow: number): void {
    this.flows.get(flow)?.close();
    this.flows.delete(flow);
  }

  /** Asks the host's first name server, and passes its answer on unread. */
  resolve(query: number, bytes: Uint8Array): void {
    const [server] = getServers();
    const { host, port } = nameServer(server ?? '127.0.0.1');
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    this.questions.add(socket);
    const end = (answer: Uint8Array | null): void => {
      if (!this.questions.delete(socket)) return;
      clearTimeout(timer);
      socket.close();
      this.give({ kind: 'resolved', query, bytes: answer });
    };
    const timer = setTimeout(() => end(null), ANSWER_TIMEOUT_MS);
    socket.on('message', (answer) => end(answer));
    socket.on('error', () => end(null));
    socket.send(bytes, port, host, (error) => {
      if (error !== null) end(null);
    });
  }

  close(): void {
    for (const socket of [...this.flows.values(), ...this.questions]) socket.close();
    this.flows.clear();
    this.questions.clear();
  }

  private socketOf(flow: number): Socket {
    const known = this.flows.get(flow);
    if (known !== undefined) return known;
    const socket = createSocket('udp4');
    this.flows.set(flow, socket);
    socket.on('message', (bytes, { address, port }) => {
      const from = parseIp(address);
      if (from !== null) this.give({ kind: 'datagram', flow, address: from, port, bytes });
    });
    // Word that nobody listens there (ICMP) comes as an error; the guest hears nothing, and waits.
    socket.on('error', () => undefined);
    return socket;
  }
}

/** The forms that `getServers` gives: an address, or one with a port. */
function nameServer(text: string): { readonly host: string; readonly port: number } {
  const match = /^\[(.*)\]:(\d+)$/.exec(text) ?? /^([\d.]+):(\d+)$/.exec(text);
  if (match === null) return { host: text, port: NAME_PORT };
  return { host: match[1] ?? '', port: Number(match[2]) };
}
