/**
 * Carries out the faults of a seed, and ends them all when the time of faults is over.
 */

import { present } from '../base/assert.js';
import type { Agenda } from './agenda.js';
import type { Fault } from './faults.js';
import type { Network } from './network.js';
import type { SimulatedNode } from './node.js';
import type { Process } from './process.js';
import type { SimulatedArbiter } from './simulated-arbiter.js';

export interface NemesisOptions {
  readonly agenda: Agenda;
  readonly network: Network;
  readonly arbiter: SimulatedArbiter;
  readonly nodes: readonly SimulatedNode[];
  /** SIGKILL to whatever runs on a node. */
  kill(node: SimulatedNode): void;
  /** SIGSTOP, and SIGCONT after `forMs`. */
  pause(process: Process, forMs: number): void;
}

export class Nemesis {
  private readonly options: NemesisOptions;

  constructor(options: NemesisOptions) {
    this.options = options;
  }

  strike(fault: Fault): void {
    const { network, arbiter, agenda } = this.options;
    switch (fault.kind) {
      case 'crash':
        return this.options.kill(this.node(fault.node));
      case 'pause': {
        const { role } = this.node(fault.node);
        if (role !== null) this.options.pause(role.process, fault.forMs);
        return;
      }
      case 'strike':
        this.node(fault.node).strike = fault;
        return;
      case 'cut':
        this.cut(fault.from, fault.to, fault.forMs);
        if (fault.isMutual) this.cut(fault.to, fault.from, fault.forMs);
        return;
      case 'reset':
        return network.reset(fault.from, fault.to);
      case 'deafen':
        arbiter.setReachable(fault.node, false);
        agenda.after(fault.forMs, () => arbiter.setReachable(fault.node, true));
        return;
      case 'isolate':
        this.node(fault.node).isIsolated = true;
        agenda.after(fault.forMs, () => (this.node(fault.node).isIsolated = false));
        return;
      case 'corrupt':
        network.link(fault.from, fault.to).corruption = fault.how;
        return;
      case 'flip':
        return this.flip(fault.node, fault.bit);
    }
  }

  /** All faults end; what is stopped continues. */
  heal(): void {
    const { nodes, network, arbiter } = this.options;
    for (const node of nodes) {
      arbiter.setReachable(node.id, true);
      for (let other = 0; other < nodes.length; other += 1) {
        network.setLink(node.id, other, true);
        network.link(node.id, other).corruption = 'none';
      }
    }
    for (const node of nodes) {
      node.isIsolated = false;
      node.strike = null;
      node.role?.process.resume();
    }
  }

  private cut(from: number, to: number, forMs: number): void {
    const { network, agenda } = this.options;
    network.setLink(from, to, false);
    agenda.after(forMs, () => network.setLink(from, to, true));
  }

  private flip(id: number, bit: number): void {
    const { role } = this.node(id);
    if (role?.kind !== 'backup') return;
    role.replica.guest.flip(bit);
    role.replica.isFlipped = true;
  }

  private node(id: number): SimulatedNode {
    return present(this.options.nodes[id], `node ${id}`);
  }
}
