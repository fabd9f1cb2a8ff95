/**
 * Finds the primary among known addresses, and keeps looking for a newer one.
 *
 * All nodes are asked for their status at once; one that does not answer in time holds up nobody.
 * While a primary is in use they are asked at a slower pace: a newer primary shows by its epoch,
 * and a primary tells where its backups are.
 */

import { Client } from '@grpc/grpc-js';
import { LockstepError } from '../base/error.js';
import { clientTarget } from '../rpc/client.js';
import {
  GetStatusRequest,
  MachineServiceService,
  Role,
  type GetStatusResponse,
} from '../rpc/generated/lockstep/v1/machine.js';

/** A channel to one node, whatever service is called on it. */
export type NodeClient = Client;

export interface FoundPrimary {
  readonly address: string;
  readonly client: NodeClient;
  readonly epoch: bigint;
}

/** How often nodes are asked while no primary is in use, and while one is. */
const SEARCH_MS = 30;
const WATCH_MS = 250;
const ANSWER_MS = 300;
/**
 * Nodes that a client asks; what others tell must not grow without end. Beyond it the one that was
 * told and has been silent for longest gives way: a machine that fails over often leaves many dead.
 */
const MAX_NODES = 16;

export function askStatus(client: NodeClient, timeoutMs: number): Promise<GetStatusResponse> {
  const { path, requestSerialize, responseDeserialize } = MachineServiceService.getStatus;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + timeoutMs };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      GetStatusRequest.create(),
      options,
      (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(error ?? new Error('no answer'));
      },
    );
  });
}

export class PrimaryFinder {
  private readonly onFound: (found: FoundPrimary) => void;
  /** Those that answered last stand last. */
  private readonly clients = new Map<string, NodeClient>();
  /** What the user named is asked for ever. */
  private readonly given: ReadonlySet<string>;
  /** Addresses whose answer is awaited. */
  private readonly asked = new Set<string>();
  /** The node in use. */
  private inUse: string | null = null;
  private timer: NodeJS.Timeout | null = null;
  private isStopped = false;

  /** `onFound` is called for every answer of a node that says it is primary. */
  constructor(addresses: readonly string[], onFound: (found: FoundPrimary) => void) {
    this.onFound = onFound;
    this.given = new Set(addresses);
    for (const address of addresses) this.add(address);
  }

  /** Asks another node as well. Errors: USAGE, INSECURE for an address that can't be dialled. */
  add(address: string): void {
    if (address === '' || this.clients.has(address)) return;
    const { target, credentials, options } = clientTarget(address);
    this.clients.set(address, new Client(target, credentials, options));
  }

  start(): void {
    this.search();
  }

  /** No primary is in use. */
  search(): void {
    this.inUse = null;
    this.schedule(0);
  }

  /** `address` is in use. */
  settle(address: string): void {
    this.inUse = address;
  }

  stop(): void {
    this.isStopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    for (const client of this.clients.values()) client.close();
  }

  private schedule(delayMs: number): void {
    if (this.isStopped) return;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      for (const [address, client] of this.clients) this.ask(address, client);
      this.schedule(this.inUse === null ? SEARCH_MS : WATCH_MS);
    }, delayMs);
  }

  private ask(address: string, client: NodeClient): void {
    if (this.asked.has(address)) return;
    this.asked.add(address);
    askStatus(client, ANSWER_MS).then(
      (status) => {
        this.asked.delete(address);
        this.take(address, client, status);
      },
      () => this.asked.delete(address),
    );
  }

  private take(address: string, client: NodeClient, status: GetStatusResponse): void {
    if (this.isStopped || this.clients.get(address) !== client) return;
    this.clients.delete(address);
    this.clients.set(address, client);
    for (const other of [status.primaryAddress, ...status.backupAddresses]) this.learn(other);
    if (status.role !== Role.PRIMARY) return;
    this.onFound({ address, client, epoch: status.epoch });
  }

  /** An address that a node told; one that can't be dialled from here is of no use. */
  learn(address: string): void {
    if (this.clients.has(address)) return;
    try {
      this.add(address);
      if (this.clients.size > MAX_NODES) this.forgetOne();
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
    }
  }

  private forgetOne(): void {
    for (const [address, client] of this.clients) {
      if (this.given.has(address) || address === this.inUse) continue;
      this.clients.delete(address);
      client.close();
      return;
    }
  }
}
