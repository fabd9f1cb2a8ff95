/**
 * The switch's view of its ports: which machine is behind which, whose word counts, and where each
 * frame goes.
 *
 * A machine lives behind one port at a time, the one whose node holds its newest epoch. A node of
 * an older epoch is refused, and what still comes through its port goes nowhere: a primary that was
 * only paused can't speak once another has taken over.
 *
 * Frames go where their target address was last seen, and everywhere if it was not.
 *
 * Invariant: `offset` of a machine counts the bytes of its output stream that have come, lengths
 * included, and lies between two frames.
 */

import { assert } from '../base/assert.js';
import { MAX_FRAME_BYTES } from '../event/limits.js';
import type { Plug, Verdict } from './attachment.js';
import { isGroup, parseFrame } from './ethernet.js';
import { LENGTH_BYTES } from './frame-stream.js';
import { GATEWAY_MAC } from './gateway-contract.js';

export type PortId = number;
/** What is outside, the gateway or an uplink, has a port too. */
export const OUTSIDE_PORT: PortId = 0;

const MAX_LEARNED = 1_024;
const MAX_MACHINES = 256;

interface Machine {
  readonly id: string;
  epoch: bigint;
  incarnation: string;
  port: PortId | null;
  offset: bigint;
}

export interface Attached extends Verdict {
  /** The port behind which the machine was before, to be closed. */
  readonly displaced: PortId | null;
}

export class PatchPanel {
  private readonly ports = new Map<PortId, Machine | null>([[OUTSIDE_PORT, null]]);
  private readonly machines = new Map<string, Machine>();
  private readonly learned = new Map<number, PortId>();
  /** An address that nobody else may speak from; null where nobody has such a one. */
  private readonly gatewayMac: number | null;

  /** `gatewayMac`: the address of the gateway that is outside, null for an uplink. */
  constructor(gatewayMac: number | null = GATEWAY_MAC) {
    this.gatewayMac = gatewayMac;
    if (gatewayMac !== null) this.learned.set(gatewayMac, OUTSIDE_PORT);
  }

  /** A peer that sends frames alone: it has no name, and nothing of it is remembered. */
  attachPlain(port: PortId): void {
    this.ports.set(port, null);
  }

  /** A node's machine. Unless accepted, the port is not part of the network. */
  attach(port: PortId, plug: Plug): Attached {
    const machine = plug.epoch === 0n ? newMachine(plug) : this.machineOf(plug);
    const refusal = refusalOf(machine, plug);
    if (refusal !== null) {
      return { verdict: refusal, epoch: machine.epoch, offset: machine.offset, displaced: null };
    }
    const displaced = machine.port;
    if (displaced !== null) this.detach(displaced);
    machine.epoch = plug.epoch;
    machine.incarnation = plug.incarnation;
    machine.port = port;
    if (plug.start > machine.offset) machine.offset = plug.start;
    if (plug.epoch > 0n) this.remember(machine);
    this.ports.set(port, machine);
    this.learn(plug.mac, port);
    return { verdict: 'accepted', epoch: plug.epoch, offset: machine.offset, displaced };
  }

  /** The port is gone. What is known of its machine stays, for the next one. */
  detach(port: PortId): void {
    const machine = this.ports.get(port);
    this.ports.delete(port);
    if (machine !== undefined && machine !== null && machine.port === port) machine.port = null;
    for (const [mac, owner] of this.learned) if (owner === port) this.learned.delete(mac);
  }

  /** The ports to which a frame from `port` goes. */
  route(port: PortId, bytes: Uint8Array): PortId[] {
    const machine = this.ports.get(port);
    if (machine === undefined) return [];
    if (machine !== null) machine.offset += BigInt(LENGTH_BYTES + bytes.length);
    const frame = bytes.length > MAX_FRAME_BYTES ? null : parseFrame(bytes);
    if (frame === null) return [];
    const isGateway = this.gatewayMac !== null && port === OUTSIDE_PORT;
    if (!isGateway) {
      if (frame.source === this.gatewayMac) return [];
      if (!isGroup(frame.source)) this.learn(frame.source, port);
    }
    const owner = isGroup(frame.target) ? undefined : this.learned.get(frame.target);
    if (owner !== undefined) return owner === port ? [] : [owner];
    return [...this.ports.keys()].filter((other) => other !== port);
  }

  private learn(mac: number, port: PortId): void {
    if (mac === this.gatewayMac) return;
    if (!this.learned.has(mac) && this.learned.size >= MAX_LEARNED) return;
    this.learned.set(mac, port);
  }

  private machineOf(plug: Plug): Machine {
    return this.machines.get(plug.machineId) ?? newMachine(plug);
  }

  /** The machine longest unheard of makes room, unless all are there. */
  private remember(machine: Machine): void {
    this.machines.delete(machine.id);
    this.machines.set(machine.id, machine);
    if (this.machines.size <= MAX_MACHINES) return;
    for (const [id, { port }] of this.machines) {
      if (port !== null) continue;
      this.machines.delete(id);
      break;
    }
    assert(this.machines.size <= MAX_MACHINES + this.ports.size, 'machines behind ports');
  }
}

/** A machine that the switch has not seen begins with what it sends from now on. */
function newMachine({ machineId, incarnation, epoch, end }: Plug): Machine {
  return { id: machineId, epoch, incarnation, port: null, offset: end };
}

function refusalOf(machine: Machine, plug: Plug): 'fenced' | 'conflict' | null {
  if (plug.epoch < machine.epoch) return 'fenced';
  const isOther = plug.epoch === machine.epoch && plug.incarnation !== machine.incarnation;
  // Output that nobody here has written: the same name, another life.
  return isOther || machine.offset > plug.end ? 'conflict' : null;
}
