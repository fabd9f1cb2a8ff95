/**
 * Goal: a machine speaks through one port, the one of its newest epoch, and its output stream goes
 * on at the very byte; frames go where they belong.
 * Method: plugs and frames by hand; messages and framing cut at every byte.
 */

import test from 'ava';
import { DecodeError } from '../../../lib/base/bytes.js';
import {
  encodePlug,
  encodeVerdict,
  readOpening,
  readVerdict,
  type Plug,
} from '../../../lib/network/attachment.js';
import { buildFrame, BROADCAST } from '../../../lib/network/ethernet.js';
import { FrameSplitter, withLength } from '../../../lib/network/frame-stream.js';
import { GATEWAY_MAC } from '../../../lib/network/gateway-contract.js';
import { OUTSIDE_PORT, PatchPanel } from '../../../lib/network/patch-panel.js';
import { Random } from '../../support/random.js';

const MAC = 0x52_54_00_12_34_56;
const OTHER_MAC = 0x52_54_00_12_34_58;

function plug(change: Partial<Plug> = {}): Plug {
  return { machineId: 'm', incarnation: 'a', epoch: 1n, mac: MAC, start: 0n, end: 0n, ...change };
}

function frame(target: number, source: number, bytes = 46): Uint8Array {
  return buildFrame({ target, source, type: 0x800, payload: new Uint8Array(bytes) });
}

test('what is behind an uplink is learned as what is behind a port', (t) => {
  const panel = new PatchPanel(null);
  panel.attach(1, plug());
  t.deepEqual(panel.route(OUTSIDE_PORT, frame(MAC, OTHER_MAC)), [1]);
  panel.attachPlain(2);
  t.deepEqual(panel.route(1, frame(OTHER_MAC, MAC)), [OUTSIDE_PORT]);
  // No gateway is here, so its address is any other.
  t.deepEqual(panel.route(1, frame(GATEWAY_MAC, MAC)), [OUTSIDE_PORT, 2]);
  t.deepEqual(panel.route(2, frame(MAC, GATEWAY_MAC)), [1]);
  // The machine has gone to another host.
  t.deepEqual(panel.route(OUTSIDE_PORT, frame(BROADCAST, MAC)), [1, 2]);
  t.deepEqual(panel.route(2, frame(MAC, GATEWAY_MAC)), [OUTSIDE_PORT]);
});

test('a newer epoch takes the machine over; an older one is refused from then on', (t) => {
  const panel = new PatchPanel();
  t.like(panel.attach(1, plug()), { verdict: 'accepted', offset: 0n, displaced: null });
  panel.route(1, frame(BROADCAST, MAC));
  const next = plug({ incarnation: 'b', epoch: 2n, end: 500n });
  t.like(panel.attach(2, next), { verdict: 'accepted', offset: 64n, displaced: 1 });
  t.deepEqual(panel.route(1, frame(BROADCAST, MAC)), []);
  t.deepEqual(panel.route(2, frame(BROADCAST, MAC)), [OUTSIDE_PORT]);
  t.deepEqual(panel.route(OUTSIDE_PORT, frame(MAC, GATEWAY_MAC)), [2]);
  t.like(panel.attach(3, plug({ end: 900n })), { verdict: 'fenced', epoch: 2n });
  t.deepEqual(panel.route(3, frame(BROADCAST, MAC)), []);
});

test('a node that comes back goes on where its frames were counted', (t) => {
  const panel = new PatchPanel();
  panel.attach(1, plug());
  panel.route(1, frame(GATEWAY_MAC, MAC, 86));
  panel.route(1, frame(GATEWAY_MAC, MAC, 46));
  panel.detach(1);
  t.like(panel.attach(2, plug({ end: 1000n })), { verdict: 'accepted', offset: 104n + 64n });
  t.like(panel.attach(3, plug({ start: 700n, end: 1000n })), { offset: 700n, displaced: 2 });
});

test('another process in the same epoch, and output that nobody here wrote, are conflicts', (t) => {
  const panel = new PatchPanel();
  panel.attach(1, plug());
  t.is(panel.attach(2, plug({ incarnation: 'b' })).verdict, 'conflict');
  panel.route(1, frame(BROADCAST, MAC));
  panel.detach(1);
  t.is(panel.attach(2, plug({ epoch: 2n, end: 10n })).verdict, 'conflict');
});

test('a machine without an arbiter is taken as it comes', (t) => {
  const panel = new PatchPanel();
  const free = { epoch: 0n, end: 77n };
  t.like(panel.attach(1, plug(free)), { verdict: 'accepted', offset: 77n });
  t.like(panel.attach(2, plug({ ...free, incarnation: 'b' })), { verdict: 'accepted' });
});

test('frames go to the port of their address, unknown and broadcast ones everywhere', (t) => {
  const panel = new PatchPanel();
  panel.attach(1, plug());
  panel.attachPlain(2);
  t.deepEqual(panel.route(1, frame(OTHER_MAC, MAC)), [OUTSIDE_PORT, 2]);
  panel.route(2, frame(BROADCAST, OTHER_MAC));
  t.deepEqual(panel.route(1, frame(OTHER_MAC, MAC)), [2]);
  t.deepEqual(panel.route(2, frame(GATEWAY_MAC, OTHER_MAC)), [OUTSIDE_PORT]);
  panel.detach(2);
  t.deepEqual(panel.route(1, frame(OTHER_MAC, MAC)), [OUTSIDE_PORT]);
});

test("what is no frame, or pretends to be the gateway's, goes nowhere but counts", (t) => {
  const panel = new PatchPanel();
  panel.attach(1, plug());
  t.deepEqual(panel.route(1, new Uint8Array(5)), []);
  t.deepEqual(panel.route(1, frame(BROADCAST, MAC, 2000)), []);
  t.deepEqual(panel.route(1, frame(BROADCAST, GATEWAY_MAC)), []);
  t.deepEqual(panel.route(OUTSIDE_PORT, frame(GATEWAY_MAC, GATEWAY_MAC)), []);
  panel.detach(1);
  t.is(panel.attach(2, plug({ end: 9999n })).offset, 9n + 2018n + 64n);
});

test('openings and verdicts come back as they were, cut at any byte', (t) => {
  const wanted = plug({ epoch: 7n, start: 3n, end: 1n << 40n, machineId: 'web-1' });
  const bytes = encodePlug(wanted);
  for (let length = 0; length < bytes.length; length++) {
    t.is(readOpening(bytes.subarray(0, length)).kind, 'incomplete', `${length}`);
  }
  const more = Buffer.concat([bytes, Buffer.from('frames')]);
  t.deepEqual(readOpening(more), { kind: 'plug', plug: wanted, bytes: bytes.length });
  const verdict = { verdict: 'fenced', epoch: 9n, offset: 12n } as const;
  const answer = encodeVerdict(verdict);
  t.is(readVerdict(answer.subarray(0, answer.length - 1)), null);
  t.deepEqual(readVerdict(answer), { verdict, bytes: answer.length });
  t.is(readOpening(withLength(frame(BROADCAST, MAC))).kind, 'frames');
});

test('damaged openings are refused, never believed', (t) => {
  const bytes = encodePlug(plug({ start: 5n, end: 9n }));
  const backwards = bytes.slice();
  backwards[30] = 1;
  t.throws(() => readOpening(backwards), { instanceOf: DecodeError });
  const long = bytes.slice();
  long[37] = 200;
  t.throws(() => readOpening(long), { instanceOf: DecodeError });
  const newer = bytes.slice();
  newer[6] = 2;
  t.is(readOpening(newer).kind, 'wrong-version');
  t.throws(() => readVerdict(new Uint8Array(40)), { instanceOf: DecodeError });
});

test('frames come whole out of a stream, however it is cut', (t) => {
  const random = new Random(5);
  const frames = Array.from({ length: 200 }, () => random.bytes(random.below(300)));
  const stream = Buffer.concat(frames.map(withLength));
  const splitter = new FrameSplitter();
  const found: Uint8Array[] = [];
  for (let at = 0; at < stream.length;) {
    const size = 1 + random.below(500);
    found.push(...splitter.take(stream.subarray(at, at + size)).map((one) => one.slice()));
    at += size;
  }
  t.deepEqual(
    found.map((one) => Buffer.from(one).toString('hex')),
    frames.map((one) => Buffer.from(one).toString('hex')),
  );
  t.throws(() => splitter.take(Uint8Array.of(0xff, 0, 0, 0)), { instanceOf: DecodeError });
});
