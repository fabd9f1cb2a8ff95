/**
 * Goal: for one (machine, generation) exactly one holder wins, once, for ever, whatever members of
 * the cluster are dead, frozen or cut off; without a majority nobody does.
 * Method: Debian's etcd as real processes, alone and three together; and servers that answer
 * wrongly, late, or not at all.
 */

import { createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import test, { type ExecutionContext } from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { EtcdArbiter } from '../../../lib/arbiter/etcd-arbiter.js';
import { KVService, TxnResponse, type TxnRequest } from '../../../lib/rpc/generated/etcd/kv.js';
import { race } from '../../support/arbiter-race.js';
import { EtcdCluster, findEtcd } from '../../support/etcd.js';

const RACES = 1_000;

/** A running cluster, or null where the test is skipped. */
async function cluster(t: ExecutionContext, size = 1): Promise<EtcdCluster | null> {
  const program = await findEtcd();
  if (program === null) {
    t.log('skipped: etcd is not installed');
    t.pass();
    return null;
  }
  const started = await EtcdCluster.start(program, size);
  t.teardown(() => started.close());
  return started;
}

function open(t: ExecutionContext, endpoints: readonly string[], prefix = 'test'): EtcdArbiter {
  const arbiter = new EtcdArbiter(endpoints, prefix);
  t.teardown(() => arbiter.close());
  return arbiter;
}

function holder(name: string): { address: string; incarnation: string } {
  return { address: `127.0.0.1:${name.length}`, incarnation: name };
}

test('claims are won once, repeated by their holder, and never below the newest', async (t) => {
  const etcd = await cluster(t);
  if (etcd === null) return;
  const arbiter = open(t, etcd.endpoints);
  await arbiter.check();
  t.is(await arbiter.newest('m'), null);
  const claim = { machine: 'm', generation: 9n, holder: holder('a') };
  const won = await arbiter.claim(claim);
  t.is(won.outcome, 'won');
  // The same again, as after an answer that was lost: the same record and the same token.
  t.deepEqual(await arbiter.claim(claim), won);
  const lost = { outcome: 'lost', holder: holder('a') };
  t.deepEqual(await arbiter.claim({ ...claim, holder: holder('b') }), lost);
  const reborn = { ...claim, holder: { ...claim.holder, incarnation: 'a2' } };
  t.deepEqual(await arbiter.claim(reborn), lost);
  // 10 sorts behind 9 although its text does not.
  const next = await arbiter.claim({ ...claim, generation: 10n, holder: holder('b') });
  t.true(next.outcome === 'won' && won.outcome === 'won');
  if (next.outcome !== 'won' || won.outcome !== 'won') return;
  t.true((next.token ?? 0n) > (won.token ?? 0n), 'tokens ascend with generations');
  t.deepEqual(await arbiter.claim({ ...claim, generation: 4n }), {
    outcome: 'lost',
    holder: holder('b'),
  });
  t.like(await arbiter.newest('m'), { generation: 10n, holder: holder('b'), token: next.token });
});

test('machines and prefixes are independent, also where one name begins another', async (t) => {
  const etcd = await cluster(t);
  if (etcd === null) return;
  for (const prefix of ['p', 'p/check', 'pp']) {
    const arbiter = open(t, etcd.endpoints, prefix);
    for (const machine of ['m', 'm0', 'm-1', 'check']) {
      const claim = { machine, generation: 1n, holder: holder(machine) };
      t.is((await arbiter.claim(claim)).outcome, 'won', `${prefix} ${machine}`);
    }
    await arbiter.check();
    t.is((await arbiter.newest('m'))?.generation, 1n);
  }
});

test('a member that is dead, frozen or alone does not decide; a majority does', async (t) => {
  const etcd = await cluster(t, 3);
  if (etcd === null) return;
  const arbiter = open(t, etcd.endpoints);
  const claim = { machine: 'm', holder: holder('a') };
  const wins = async (generation: bigint): Promise<void> => {
    const { outcome } = await answered(() => arbiter.claim({ ...claim, generation }));
    t.is(outcome, 'won', `generation ${generation}`);
  };
  await wins(1n);
  etcd.signal(0, 'SIGSTOP');
  await wins(2n);
  etcd.signal(0, 'SIGKILL');
  await wins(3n);
  etcd.signal(1, 'SIGSTOP');
  for (const attempt of [
    arbiter.claim({ ...claim, generation: 4n }),
    arbiter.newest('m'),
    arbiter.check(),
  ]) {
    t.like(await t.throwsAsync(attempt), { code: 'ARBITER_UNAVAILABLE' });
  }
  etcd.signal(1, 'SIGCONT');
  // Whether the claim that had no answer was made or not, its holder may have it.
  await wins(4n);
  const late = { machine: 'm', generation: 4n, holder: holder('b') };
  t.deepEqual(await answered(() => arbiter.claim(late)), { outcome: 'lost', holder: holder('a') });
});

/**
 * Asks until there is an answer, as both cores do: the leader may just be elected anew, or the host
 * be too busy for the deadline of a question.
 */
async function answered<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      const isUnavailable = error instanceof LockstepError && error.code === 'ARBITER_UNAVAILABLE';
      if (!isUnavailable || attempt === 60) throw error;
    }
  }
}

test('members of two clusters are refused', async (t) => {
  const [one, two] = [await cluster(t), await cluster(t)];
  if (one === null || two === null) return;
  const arbiter = open(t, [...one.endpoints, ...two.endpoints]);
  const error = await t.throwsAsync(arbiter.check(), { message: /different clusters/ });
  t.like(error, { code: 'ARBITER_UNAVAILABLE' });
});

/** A server that stands for etcd and answers transactions as `answer` says; null for silence. */
async function stub(
  t: ExecutionContext,
  answer: (request: TxnRequest) => Partial<TxnResponse> | null,
): Promise<string> {
  const server = new Server();
  server.addService(KVService, {
    range: (_call: unknown, reply: (error: object) => void) =>
      reply({ code: status.UNIMPLEMENTED }),
    txn: (call: { request: TxnRequest }, reply: (error: null, value: TxnResponse) => void) => {
      const made = answer(call.request);
      if (made !== null) reply(null, TxnResponse.fromPartial(made));
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.teardown(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

test('an answer that is none is unavailable, never a verdict', async (t) => {
  const claim = { machine: 'm', generation: 1n, holder: holder('a') };
  const header = { clusterId: 7n, revision: 1n };
  const range = (value: string) => ({
    header,
    succeeded: false,
    responses: [
      {
        response: {
          $case: 'responseRange' as const,
          value: {
            header,
            kvs: [
              {
                key: Buffer.from('test/m/0000000000000000001'),
                value: Buffer.from(value),
                createRevision: 1n,
              },
            ],
          },
        },
      },
    ],
  });
  const other = '{"machine":"n","generation":"1","address":"a","incarnation":"b"}';
  for (const made of [
    {},
    { header, succeeded: false, responses: [] },
    { ...range(''), responses: [{ response: undefined }] },
    range(''),
    range('{}'),
    range(other),
  ]) {
    const arbiter = open(t, [await stub(t, () => made)]);
    t.like(await t.throwsAsync(arbiter.claim(claim)), { code: 'ARBITER_UNAVAILABLE' });
  }
});

test('a member that takes connections and says nothing is passed over', async (t) => {
  const held: Socket[] = [];
  const silent = createServer((socket) => held.push(socket.on('error', () => undefined)));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => {
    silent.close();
    for (const socket of held) socket.destroy();
  });
  const place = silent.address();
  const port = typeof place === 'object' && place !== null ? place.port : 0;
  let asked = 0;
  const header = { clusterId: 7n, revision: 5n };
  const good = await stub(t, () => {
    asked += 1;
    return { header, succeeded: true };
  });
  const arbiter = open(t, [`127.0.0.1:${port}`, good]);
  const claim = { machine: 'm', generation: 1n, holder: holder('a') };
  t.deepEqual(await arbiter.claim(claim), { outcome: 'won', token: 5n });
  t.deepEqual(await arbiter.claim(claim), { outcome: 'won', token: 5n });
  t.is(asked, 2);
});

test(`of two processes that claim at once exactly one wins, ${RACES} times`, async (t) => {
  t.timeout(120_000);
  const etcd = await cluster(t);
  if (etcd !== null) await race(t, `${etcd.target}/race`, RACES);
});
