/**
 * Who has which IP address on the machines' network, and how an IP packet becomes a frame.
 *
 * Every frame from a guest teaches. A packet for an address that nobody is known to have becomes a
 * question, and is lost: whoever sent it sends it again.
 */

import { ARP, buildArp, parseArp } from './arp.js';
import { BROADCAST, buildFrame, ETHERTYPE, isGroup, type Frame } from './ethernet.js';
import { GATEWAY_IP, GATEWAY_MAC, NAME_SERVER_IP, NETMASK, NETWORK } from './gateway-contract.js';

/** More addresses than a network of this size has. */
const MAX_NEIGHBORS = 512;

export class Neighbors {
  private readonly macs = new Map<number, number>();
  private readonly emit: (frame: Uint8Array) => void;
  private readonly onLearned: (ip: number) => void;

  /** `onLearned` is told of an address that was unknown, or has another card now. */
  constructor(emit: (frame: Uint8Array) => void, onLearned: (ip: number) => void) {
    this.emit = emit;
    this.onLearned = onLearned;
  }

  learn(ip: number, mac: number): void {
    const isInside = ((ip ^ NETWORK) & NETMASK) === 0;
    if (!isInside || ip === GATEWAY_IP || ip === NAME_SERVER_IP || isGroup(mac)) return;
    if (this.macs.get(ip) === mac) return;
    if (this.macs.size >= MAX_NEIGHBORS && !this.macs.has(ip)) return;
    this.macs.set(ip, mac);
    this.onLearned(ip);
  }

  receive(frame: Frame): void {
    const message = parseArp(frame.payload);
    if (message === null) return;
    this.learn(message.senderIp, message.senderMac);
    const isOurs = message.targetIp === GATEWAY_IP || message.targetIp === NAME_SERVER_IP;
    if (message.operation !== ARP.request || !isOurs) return;
    this.sendArp(message.senderMac, {
      operation: ARP.reply,
      senderMac: GATEWAY_MAC,
      senderIp: message.targetIp,
      targetMac: message.senderMac,
      targetIp: message.senderIp,
    });
  }

  /** Sends an IP packet to a machine, or asks where it is. */
  send(ip: number, packet: Uint8Array): void {
    const mac = this.macs.get(ip);
    if (mac !== undefined) return this.sendTo(mac, packet);
    this.sendArp(BROADCAST, {
      operation: ARP.request,
      senderMac: GATEWAY_MAC,
      senderIp: GATEWAY_IP,
      targetMac: 0,
      targetIp: ip,
    });
  }

  sendTo(mac: number, packet: Uint8Array): void {
    const type = ETHERTYPE.ipv4;
    this.emit(buildFrame({ target: mac, source: GATEWAY_MAC, type, payload: packet }));
  }

  private sendArp(target: number, message: Parameters<typeof buildArp>[0]): void {
    const payload = buildArp(message);
    this.emit(buildFrame({ target, source: GATEWAY_MAC, type: ETHERTYPE.arp, payload }));
  }
}
