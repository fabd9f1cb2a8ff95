/**
 * Goal: a client finds the primary however many nodes have died before, and what nodes tell it
 * never makes it ask more than a bounded number.
 * Method: a server that says it is primary, and addresses where nobody is.
 */

import test from 'ava';
import { PrimaryFinder } from '../../../lib/node/primary-finder.js';
import {
  GetStatusResponse,
  MachineServiceService,
  Role,
  type GetStatusRequest,
} from '../../../lib/rpc/generated/lockstep/v1/machine.js';
import type { sendUnaryData, ServerUnaryCall } from '@grpc/grpc-js';
import { serveRpc, type RpcServer } from '../../../lib/rpc/server.js';

function primary(epoch: bigint): Promise<RpcServer> {
  return serveRpc('127.0.0.1:0', (server) =>
    server.addService(MachineServiceService, {
      getStatus: (
        _call: ServerUnaryCall<GetStatusRequest, GetStatusResponse>,
        answer: sendUnaryData<GetStatusResponse>,
      ) => answer(null, GetStatusResponse.fromPartial({ role: Role.PRIMARY, epoch })),
    }),
  );
}

test('a primary that is told of after many dead nodes is found', async (t) => {
  const server = await primary(41n);
  t.teardown(() => server.close());
  const found = await new Promise<{ address: string; epoch: bigint }>((resolve) => {
    const finder = new PrimaryFinder(['127.0.0.1:1'], resolve);
    t.teardown(() => finder.stop());
    finder.start();
    for (let port = 2; port < 60; port += 1) finder.learn(`127.0.0.1:${port}`);
    finder.learn(server.address);
  });
  t.is(found.address, server.address);
  t.is(found.epoch, 41n);
});

test('the node in use is not forgotten for others that are told of', async (t) => {
  const server = await primary(1n);
  t.teardown(() => server.close());
  let answers = 0;
  await new Promise<void>((resolve) => {
    const finder = new PrimaryFinder([], ({ address }) => {
      answers += 1;
      if (answers === 1) {
        finder.settle(address);
        for (let port = 2; port < 60; port += 1) finder.learn(`127.0.0.1:${port}`);
      } else resolve();
    });
    t.teardown(() => finder.stop());
    finder.learn(server.address);
    finder.start();
  });
  t.is(answers, 2);
});
