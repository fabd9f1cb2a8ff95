/**
 * Goal: the fast codec of the hot message is the wire format of the schema, field for field.
 * Method: three codecs judge each other: the fast one, the generated one, and protobufjs working
 * from the schema by reflection.
 */

import test from 'ava';
import protobuf from 'protobufjs';
import { ReplicateResponse } from '../../../lib/rpc/generated/lockstep/v1/replication.js';
import {
  decodeReplicateResponse,
  encodeReplicateResponse,
} from '../../../lib/rpc/replicate-codec.js';
import { Random } from '../../support/random.js';

const NEAR_LIMITS = [0n, 1n, 127n, 128n, (1n << 32n) - 1n, 1n << 32n, (1n << 53n) + 1n];
const MAX_64 = (1n << 64n) - 1n;

function messages(): ReplicateResponse[] {
  const random = new Random(7);
  const wide = (): bigint => {
    const index = random.below(NEAR_LIMITS.length + 2);
    return NEAR_LIMITS[index] ?? (index === NEAR_LIMITS.length ? MAX_64 : random.u64());
  };
  const bytes = (): Buffer => Buffer.from(random.bytes(random.below(300)));
  const one = (): ReplicateResponse['message'] => {
    switch (random.below(7)) {
      case 0: {
        const [epoch, firstSeq, lastSeq] = [wide(), wide(), wide()];
        const value = { epoch, firstSeq, lastSeq, data: bytes(), recordedNs: wide() };
        const counted = random.below(2) === 1;
        return { $case: 'batch', value: { ...value, releasedSeq: wide(), counted } };
      }
      case 1: {
        const steps = Array.from({ length: random.below(4) }, wide);
        const value = { epoch: wide(), recordedSeq: wide(), steps, sentNs: wide() };
        return { $case: 'heartbeat', value: { ...value, releasedSeq: wide() } };
      }
      case 2: {
        const value = { epoch: wide(), firstSeq: wide(), snapshot: true, heartbeatMs: 50 };
        return { $case: 'accepted', value: { ...value, node: 'n', windowBytes: wide() } };
      }
      case 3: {
        const value = { epoch: wide(), stream: 'uart', offset: wide(), data: bytes() };
        return { $case: 'history', value };
      }
      case 5:
        return { $case: 'standBy', value: { epoch: wide(), node: 'n' } };
      case 4: {
        const value = { epoch: wide(), round: random.below(3), data: bytes() };
        return { $case: 'pages', value };
      }
      default: {
        const value = { epoch: wide(), seq: wide(), index: 3, last: false, data: bytes() };
        return { $case: 'snapshot', value: { ...value, chain: bytes(), sha256: bytes() } };
      }
    }
  };
  return Array.from({ length: 2_000 }, () => ({ message: one() }));
}

test('what the fast codec writes the generated one reads, and the other way', (t) => {
  for (const message of messages()) {
    const fast = encodeReplicateResponse(message);
    const generated = Buffer.from(ReplicateResponse.encode(message).finish());
    t.deepEqual(ReplicateResponse.decode(fast), message);
    t.deepEqual(decodeReplicateResponse(generated), message);
    t.deepEqual(decodeReplicateResponse(fast), message);
  }
});

test('a third codec that knows only the schema reads and writes the same bytes', (t) => {
  const schema = new URL('../../../../proto/lockstep/v1/replication.proto', import.meta.url);
  const type = protobuf.loadSync(schema.pathname).lookupType('lockstep.v1.ReplicateResponse');
  for (const message of messages()) {
    const fast = encodeReplicateResponse(message);
    const again = Buffer.from(type.encode(type.decode(fast)).finish());
    t.deepEqual(decodeReplicateResponse(again), message);
    t.is(again.toString('hex'), fast.toString('hex'));
  }
});

test('fields that a newer peer adds are skipped', (t) => {
  const writer = protobuf.Writer.create();
  writer
    .uint32(18)
    .fork()
    .uint32(8)
    .uint64(5)
    .uint32(8000 * 8 + 2)
    .bytes(Buffer.alloc(9))
    .ldelim();
  writer.uint32(9000 * 8).uint32(1);
  const decoded = decodeReplicateResponse(writer.finish());
  t.is(decoded.message?.$case, 'batch');
  t.is(decoded.message?.$case === 'batch' ? decoded.message.value.epoch : 0n, 5n);
});

test('a message cut at any byte is refused or is a shorter message, never a crash', (t) => {
  const steps = [1n, 2n];
  const value = { epoch: 1n, recordedSeq: 2n, steps, sentNs: 3n, releasedSeq: 4n };
  const whole = encodeReplicateResponse({ message: { $case: 'heartbeat', value } });
  for (let length = 0; length < whole.length; length += 1) {
    const cut = whole.subarray(0, length);
    if (length === 0) t.is(decodeReplicateResponse(cut).message, undefined);
    else t.throws(() => decodeReplicateResponse(cut), { instanceOf: RangeError });
  }
});
