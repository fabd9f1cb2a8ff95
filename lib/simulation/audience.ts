/**
 * Everybody outside: the recorder that hears all output at once, and the clients that run their
 * transactions without pause and look for the primary by themselves.
 */

import { present } from '../base/assert.js';
import type { Agenda } from './agenda.js';
import { Client, Heard, Sink } from './client.js';
import type { Configuration } from './configuration.js';
import type { SimulatedNode } from './node.js';
import type { Process } from './process.js';
import type { Emission } from './surroundings.js';

const CLIENT_DELAY_MS = 0.3;
const FIRST_ATTEMPT_MS = 20;

export interface AudienceOptions {
  readonly agenda: Agenda;
  readonly configuration: Configuration;
  readonly nodes: readonly SimulatedNode[];
  /** Sinks refuse output of an older epoch than they have seen. */
  readonly fences: boolean;
  violation(what: string): void;
  /** A client has completed a transaction, its `sequence` is the next. */
  advanced(client: Client): void;
}

export class Audience {
  readonly heard = new Heard();
  readonly clients: readonly Client[];
  private readonly recorder: Sink;
  private readonly options: AudienceOptions;
  private isGone = false;

  constructor(options: AudienceOptions) {
    const { configuration, fences } = options;
    const complain = (what: string): void => options.violation(what);
    this.options = options;
    this.recorder = new Sink(this.heard, fences, complain);
    this.clients = Array.from(
      { length: configuration.clients },
      (_, id) => new Client(id, new Sink(this.heard, fences, complain)),
    );
  }

  start(): void {
    for (const client of this.clients) {
      this.options.agenda.after(FIRST_ATTEMPT_MS, () => this.attempt(client));
    }
  }

  /** Nobody asks any more. */
  leave(): void {
    this.isGone = true;
  }

  /** Output leaves a node for `only` one client, or for all. */
  hear(node: SimulatedNode, emission: Emission, only: number | null): void {
    if (this.recorder.accept(emission) === null) {
      this.options.violation(`output from ${this.recorder.offset} on never left`);
    }
    if (node.isIsolated) return;
    this.options.agenda.after(CLIENT_DELAY_MS, () => {
      for (const client of this.clients) {
        if (only === null || only === client.id) this.deliver(client, node, emission);
      }
    });
  }

  /** A host says that a transaction is done. */
  answer(id: number, sequence: number): void {
    const client = present(this.clients[id], 'client');
    if (client.sequence === sequence) this.advance(client);
  }

  private attempt(client: Client): void {
    const { agenda, configuration, nodes } = this.options;
    if (this.isGone) return;
    const attempt = client.begin();
    const node = present(nodes[client.target], 'target of a client');
    const { role } = node;
    if (role?.kind === 'primary' && !node.isIsolated) {
      const { sequence, sink } = client;
      const { process }: { readonly process: Process } = role;
      agenda.after(CLIENT_DELAY_MS, () => {
        process.act(() => role.request(client.id, sequence, sink.offset));
      });
    }
    agenda.after(configuration.clientTimeoutMs, () => {
      if (!client.isCurrent(attempt)) return;
      client.target = (client.target + 1) % nodes.length;
      this.attempt(client);
    });
  }

  private deliver(client: Client, node: SimulatedNode, emission: Emission): void {
    const fresh = client.sink.accept(emission);
    if (fresh === null || fresh.length === 0) return;
    const hasMoved = client.target !== node.id;
    client.target = node.id;
    if (client.isAnsweredBy(fresh)) this.advance(client);
    else if (hasMoved) this.attempt(client);
  }

  private advance(client: Client): void {
    client.sequence += 1;
    client.begin();
    this.options.advanced(client);
    this.options.agenda.after(this.options.configuration.thinkMs, () => this.attempt(client));
  }
}
