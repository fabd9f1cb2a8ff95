/**
 * Goal: a machine's frames reach the switch once and in order, whichever node sends them; a node of
 * an older epoch is told so; another peer hears an announcement first.
 * Method: real links and a real switch on unix sockets; the machine is a history of output.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { LockstepError } from '../../../lib/base/error.js';
import { ARP, buildAnnouncement, buildArp } from '../../../lib/network/arp.js';
import { buildFrame, BROADCAST, ETHERTYPE, parseFrame } from '../../../lib/network/ethernet.js';
import { FrameSplitter, withLength } from '../../../lib/network/frame-stream.js';
import { FIRST_GUEST_IP, GATEWAY_IP } from '../../../lib/network/gateway-contract.js';
import { Journal } from '../../../lib/node/journal.js';
import { NetworkLink, parseNetworkTarget } from '../../../lib/node/network-link.js';
import { StreamHistory } from '../../../lib/node/stream-history.js';
import { Switch } from '../../../switch/switch.js';
import { until } from '../../support/pair.js';

const MAC = '52:54:00:12:34:56';
const MAC_NUMBER = 0x52_54_00_12_34_56;

function quietJournal(): Journal {
  return new Journal({ write: () => undefined }, true);
}

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'lockstep-link-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A node: its released output, and what it has heard. */
class TestNode {
  readonly history: StreamHistory;
  readonly frames: Uint8Array[] = [];
  readonly refusals: LockstepError[] = [];
  isUp = false;
  readonly link: NetworkLink;

  constructor(target: string, incarnation: string, epoch: bigint, start = 0n) {
    this.history = new StreamHistory(start);
    this.link = new NetworkLink({
      target: parseNetworkTarget(target),
      mac: MAC,
      machineId: 'm',
      incarnation,
      epoch: () => epoch,
      history: () => this.history,
      receive: (frames) => this.frames.push(...frames),
      onUp: (isUp) => {
        this.isUp = isUp;
      },
      onRefused: (error) => this.refusals.push(error),
      journal: quietJournal(),
    });
  }

  output(bytes: Uint8Array): void {
    this.history.append(this.history.end, bytes);
    this.link.notice();
  }
}

/** The guest asks who has an address; each question brings one answer, so answers count frames. */
function question(): Uint8Array {
  const message = { operation: ARP.request, senderMac: MAC_NUMBER, senderIp: FIRST_GUEST_IP };
  const payload = buildArp({ ...message, targetMac: 0, targetIp: GATEWAY_IP });
  const frame = { target: BROADCAST, source: MAC_NUMBER, type: ETHERTYPE.arp, payload };
  return withLength(buildFrame(frame));
}

const NO_OUTSIDE = {
  outside: { kind: 'gateway', forwards: [], reach: 'none' },
  onFailure: (error: LockstepError): void => {
    throw error;
  },
} as const;

async function openSwitch(t: ExecutionContext): Promise<string> {
  const listen = `unix:${join(folder(t), 'switch')}`;
  const journal = quietJournal();
  const network = await Switch.open({ ...NO_OUTSIDE, listen, journal });
  t.teardown(() => network.close());
  return `switch:${network.address}`;
}

test('a successor sends exactly what its predecessor had not', async (t) => {
  const target = await openSwitch(t);
  const first = new TestNode(target, 'a', 1n);
  first.link.start(null);
  await until('the first is up', () => first.isUp);
  for (let count = 0; count < 3; count++) first.output(question());
  await until('three answers', () => first.frames.length === 3);
  first.link.close();
  // The replica has regenerated all that, and two frames that never left.
  const second = new TestNode(target, 'b', 2n);
  for (let count = 0; count < 5; count++) second.output(question());
  second.link.start(0n);
  await until('two answers', () => second.frames.length >= 2);
  second.output(question());
  await until('one more', () => second.frames.length >= 3);
  t.is(second.frames.length, 3);
  second.link.close();
});

test('a predecessor that wakes up is refused, and its frames go nowhere', async (t) => {
  const target = await openSwitch(t);
  const first = new TestNode(target, 'a', 1n);
  first.link.start(null);
  await until('the first is up', () => first.isUp);
  const second = new TestNode(target, 'b', 2n);
  second.link.start(null);
  await until('the first is told', () => first.refusals.length === 1);
  t.is(first.refusals[0]?.code, 'FENCED');
  first.output(question());
  second.output(question());
  await until('an answer', () => second.frames.length > 0);
  t.is(second.frames.length, 1);
  t.is(first.frames.length, 0);
  second.link.close();
});

test('a link that is lost is made again, and goes on at the byte', async (t) => {
  const listen = `unix:${join(folder(t), 'switch')}`;
  const open = (): Promise<Switch> =>
    Switch.open({ ...NO_OUTSIDE, listen, journal: quietJournal() });
  const before = await open();
  const node = new TestNode(`switch:${listen}`, 'a', 1n);
  node.link.start(null);
  await until('the link is up', () => node.isUp);
  node.output(question());
  await until('an answer', () => node.frames.length === 1);
  before.close();
  await until('the link is lost', () => !node.isUp);
  const after = await open();
  t.teardown(() => after.close());
  await until('the link is back', () => node.isUp);
  node.output(question());
  await until('another answer', () => node.frames.length >= 2);
  t.is(node.frames.length, 2);
  node.link.close();
});

test('a peer with frames alone gets an announcement, and what may not have left', async (t) => {
  const path = join(folder(t), 'peer');
  const sockets: Socket[] = [];
  const frames: Uint8Array[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    const splitter = new FrameSplitter();
    socket.on('data', (bytes) => frames.push(...splitter.take(bytes).map((one) => one.slice())));
  });
  server.listen(path);
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const node = new TestNode(`stream:unix:${path}`, 'a', 1n);
  for (let count = 0; count < 3; count++) node.output(question());
  node.link.start(BigInt(question().length));
  await until('an announcement and two frames', () => frames.length === 3);
  t.deepEqual(new Uint8Array(frames[0] ?? []), buildAnnouncement(MAC_NUMBER));
  t.is(parseFrame(frames[1] ?? new Uint8Array(0))?.type, ETHERTYPE.arp);
  for (const socket of sockets) socket.write(question());
  await until('a frame for the machine', () => node.frames.length === 1);
  node.link.close();
});

test('a target is a kind and an address of this host', (t) => {
  t.like(parseNetworkTarget('switch:127.0.0.1:7'), { kind: 'switch' });
  t.throws(() => parseNetworkTarget('tap:tap0'), { code: 'USAGE' });
  t.throws(() => parseNetworkTarget('switch:nowhere'), { code: 'USAGE' });
  t.throws(() => parseNetworkTarget('stream:10.0.0.1:7'), { code: 'INSECURE' });
});
