/**
 * The arbiter in etcd: `etcd:HOST:PORT[,HOST:PORT]...[/PREFIX]`.
 *
 *   PREFIX/MACHINE/0000000000000000002  ->  the record of generation 2
 *
 * A claim is one transaction: if no key of this machine was ever made at the claimed generation or
 * above it (create revision 0), make the record; else read the newest one. So the answer of a claim
 * that fails is the record that it failed by, and a claim that is asked again by its holder reads
 * its own record back: that is how the outcome of a question without an answer is found out.
 *
 * There is no lease and no lock, and no key is ever changed or removed. The revision at which a
 * record was made is the token of its generation.
 *
 * All members of the cluster are named. One that is silent or cut off holds up a claim by a fifth
 * of a second: then the next one is asked as well, and the first answer counts. Asking several is
 * as safe as asking again.
 */

import { Client } from '@grpc/grpc-js';
import { LockstepError } from '../base/error.js';
import { sameHolder, type ArbiterAnswer, type Claim } from '../protocol/arbiter.js';
import { clientTarget } from '../rpc/client.js';
import { errorOfStatus } from '../rpc/status-table.js';
import {
  Compare_CompareResult,
  Compare_CompareTarget,
  KVService,
  RangeRequest,
  RangeRequest_SortOrder,
  RangeRequest_SortTarget,
  TxnRequest,
  type KeyValue,
  type RangeResponse,
  type RequestOp,
  type ResponseHeader,
  type TxnResponse,
} from '../rpc/generated/etcd/kv.js';
import {
  checkMachineId,
  encodeRecord,
  parseRecord,
  type GenerationRecord,
} from './generation-record.js';
import type { HostArbiter } from './host-arbiter.js';

export const DEFAULT_PREFIX = 'lockstep';

/** Clusters have 3 or 5 members; more is a mistake. */
const MAX_ENDPOINTS = 9;
/** Silence of one member after which the next is asked as well. */
const HEDGE_MS = 200;
/** A question ends before its asker puts it again (`arbiterTimeoutMs`). */
const ANSWER_MS = 900;
/** At the start of a process nobody waits, and a cluster may be electing its leader. */
const CHECK_MS = 3_000;
/** Digits of the largest revision, so that keys sort as numbers. */
const GENERATION_DIGITS = 19;

/** A record, and the revision at which it was made. */
interface KeptRecord extends GenerationRecord {
  readonly token: bigint;
}

interface Member {
  readonly endpoint: string;
  readonly client: Client;
}

type Question<Answer> = (client: Client, deadlineMs: number) => Promise<Answer>;

export class EtcdArbiter implements HostArbiter {
  private readonly prefix: string;
  private readonly name: string;
  /** The one that answered last stands first. */
  private readonly members: Member[];
  /** Of the first answer; two clusters would be two arbiters. */
  private clusterId: bigint | null = null;

  /** Errors: USAGE for no address, INSECURE for one beyond loopback. */
  constructor(endpoints: readonly string[], prefix: string) {
    if (endpoints.length > MAX_ENDPOINTS || new Set(endpoints).size !== endpoints.length) {
      throw new LockstepError('USAGE', `--arbiter: up to ${MAX_ENDPOINTS} members, each once`);
    }
    const targets = endpoints.map((endpoint) => clientTarget(endpoint));
    this.prefix = prefix;
    this.name = `etcd:${endpoints.join(',')}`;
    this.members = targets.map(({ target, credentials, options }) => ({
      endpoint: target,
      client: new Client(target, credentials, options),
    }));
  }

  /**
   * A transaction with a record in the branch that can't be taken: it goes the way of a claim, the
   * majority and the limit of space included, and changes nothing. Every member that answers must
   * belong to one cluster.
   */
  async check(): Promise<void> {
    const key = utf8(`${this.prefix}/check`);
    const request = TxnRequest.fromPartial({
      compare: [
        {
          result: Compare_CompareResult.LESS,
          target: Compare_CompareTarget.VERSION,
          key,
          targetUnion: { $case: 'version', value: 0n },
        },
      ],
      success: [{ request: { $case: 'requestPut', value: { key, value: utf8('never') } } }],
    });
    const answers = await Promise.allSettled(
      this.members.map(({ client }) => transact(request)(client, CHECK_MS)),
    );
    try {
      for (const answer of answers) {
        if (answer.status === 'fulfilled') this.requireCluster(answer.value.header);
      }
      if (answers.every(({ status }) => status === 'rejected')) throw firstReason(answers);
    } catch (error) {
      throw this.unavailable('used', error);
    }
  }

  /** Rejects with ARBITER_UNAVAILABLE where the contract says `unavailable`. */
  async claim(claim: Claim): Promise<ArbiterAnswer> {
    checkMachineId(claim.machine);
    try {
      const answer = await this.ask(transact(this.transaction(claim)));
      this.requireCluster(answer.header);
      if (answer.succeeded) return { outcome: 'won', token: answer.header?.revision ?? 0n };
      const [response] = answer.responses;
      if (response?.response?.$case !== 'responseRange') throw new Error('no record was read');
      const decided = newestOf(response.response.value, claim.machine);
      if (decided === null) throw new Error('the record that decided is gone');
      const isOwn =
        decided.generation === claim.generation && sameHolder(decided.holder, claim.holder);
      if (isOwn) return { outcome: 'won', token: decided.token };
      return { outcome: 'lost', holder: decided.holder };
    } catch (error) {
      throw this.unavailable('claimed', error);
    }
  }

  async newest(machine: string): Promise<KeptRecord | null> {
    checkMachineId(machine);
    try {
      const request = this.newestRequest(machine);
      const answer = await this.ask((client, deadlineMs) =>
        callMethod(client, deadlineMs, KVService.range, request),
      );
      this.requireCluster(answer.header);
      return newestOf(answer, machine);
    } catch (error) {
      throw this.unavailable('read', error);
    }
  }

  close(): void {
    for (const { client } of this.members) client.close();
  }

  private transaction(claim: Claim): TxnRequest {
    const key = this.key(claim.machine, claim.generation);
    const put = { key, value: utf8(encodeRecord(claim)) };
    const success: RequestOp = { request: { $case: 'requestPut', value: put } };
    const failure: RequestOp = {
      request: { $case: 'requestRange', value: this.newestRequest(claim.machine) },
    };
    return TxnRequest.fromPartial({
      compare: [
        {
          result: Compare_CompareResult.EQUAL,
          target: Compare_CompareTarget.CREATE,
          key,
          rangeEnd: this.endOf(claim.machine),
          targetUnion: { $case: 'createRevision', value: 0n },
        },
      ],
      success: [success],
      failure: [failure],
    });
  }

  private newestRequest(machine: string): RangeRequest {
    return RangeRequest.fromPartial({
      key: utf8(`${this.prefix}/${machine}/`),
      rangeEnd: this.endOf(machine),
      limit: 1n,
      sortOrder: RangeRequest_SortOrder.DESCEND,
      sortTarget: RangeRequest_SortTarget.KEY,
      serializable: false,
    });
  }

  private key(machine: string, generation: bigint): Buffer {
    const digits = generation.toString().padStart(GENERATION_DIGITS, '0');
    return utf8(`${this.prefix}/${machine}/${digits}`);
  }

  /** The first key behind those of the machine: "0" follows "/". */
  private endOf(machine: string): Buffer {
    return utf8(`${this.prefix}/${machine}0`);
  }

  /** The first answer of a member, asked in turn; rejects when every one has failed. */
  private ask<Answer>(question: Question<Answer>): Promise<Answer> {
    const turn = [...this.members];
    return new Promise((resolve, reject) => {
      let open = 0;
      let last: unknown = new Error('no member is named');
      let timer: NodeJS.Timeout | undefined;
      const askNext = (): void => {
        clearTimeout(timer);
        const member = turn.shift();
        if (member === undefined) {
          if (open === 0) reject(last instanceof Error ? last : new Error(String(last)));
          return;
        }
        open += 1;
        if (turn.length > 0) timer = setTimeout(askNext, HEDGE_MS);
        question(member.client, ANSWER_MS).then(
          (answer) => {
            clearTimeout(timer);
            turn.length = 0;
            this.prefer(member);
            resolve(answer);
          },
          (error: unknown) => {
            open -= 1;
            last = error;
            askNext();
          },
        );
      };
      askNext();
    });
  }

  private prefer(member: Member): void {
    const at = this.members.indexOf(member);
    if (at > 0) this.members.unshift(...this.members.splice(at, 1));
  }

  private requireCluster(header: ResponseHeader | undefined): void {
    if (header === undefined) throw new Error('the answer has no header');
    this.clusterId ??= header.clusterId;
    if (header.clusterId === this.clusterId) return;
    throw new Error('its members belong to different clusters');
  }

  private unavailable(verb: string, error: unknown): LockstepError {
    const reason = error instanceof Error ? error.message : String(error);
    return new LockstepError(
      'ARBITER_UNAVAILABLE',
      `the arbiter ${this.name} can't be ${verb}: ${reason}; nobody is promoted until it can be`,
      { arbiter: this.name },
    );
  }
}

function utf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function transact(request: TxnRequest): Question<TxnResponse> {
  return (client, deadlineMs) => callMethod(client, deadlineMs, KVService.txn, request);
}

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly responseDeserialize: (value: Buffer) => Response;
}

function callMethod<Request, Response>(
  client: Client,
  deadlineMs: number,
  method: Method<Request, Response>,
  request: Request,
): Promise<Response> {
  const { path, requestSerialize, responseDeserialize } = method;
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + deadlineMs };
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      options,
      (error, response) => {
        if (error === null && response !== undefined) resolve(response);
        else reject(error === null ? new Error('no answer') : errorOfStatus(error));
      },
    );
  });
}

function newestOf({ kvs }: RangeResponse, machine: string): KeptRecord | null {
  const [newest] = kvs;
  return newest === undefined ? null : readRecord(newest, machine);
}

function readRecord({ key, value, createRevision }: KeyValue, machine: string): KeptRecord {
  const name = Buffer.from(key).toString('utf8');
  const generation = /\/(\d+)$/.exec(name)?.[1] ?? '';
  const record = parseRecord(Buffer.from(value).toString('utf8'));
  if (record?.machine !== machine || record.generation !== BigInt(generation)) {
    throw new Error(`${name} is not the record of a generation`);
  }
  return { ...record, token: createRevision };
}

function firstReason(answers: readonly PromiseSettledResult<unknown>[]): unknown {
  for (const answer of answers) if (answer.status === 'rejected') return answer.reason;
  return new Error('no member is named');
}
