/**
 * Goal: a gateway is to a guest what a network is, and to the host what sockets are.
 * Method: a guest of a few lines that speaks through frames: ARP, DHCP, echo, UDP, and the other
 * end of TCP connections. Its frames, and the host's inputs, are given by hand.
 */

import test from 'ava';
import { ARP, buildArp, parseArp } from '../../lib/network/arp.js';
import { buildFrame, BROADCAST, ETHERTYPE, parseFrame } from '../../lib/network/ethernet.js';
import { Gateway } from '../../lib/network/gateway.js';
import {
  FIRST_GUEST_IP,
  GATEWAY_IP,
  GATEWAY_MAC,
  LOOPBACK_IP,
  NAME_SERVER_IP,
  type GatewayInput,
  type GatewayOutput,
  type Reach,
} from '../../lib/network/gateway-contract.js';
import { parsePacket, type Packet } from '../../lib/network/ipv4.js';
import { BUFFER_BYTES, TcpConnection } from '../../lib/network/tcp-connection.js';
import { buildSegment, FLAG, parseSegment, type Segment } from '../../lib/network/tcp-segment.js';
import { buildDatagram, parseDatagram } from '../../lib/network/udp.js';

const GUEST = FIRST_GUEST_IP;
const MAC = 0x52_54_00_12_34_56;
const ELSEWHERE = 0x5db8_d822;

type Of<K extends GatewayOutput['kind']> = Extract<GatewayOutput, { kind: K }>;

class Rig {
  readonly gateway: Gateway;
  nowMs = 0;
  outputs: GatewayOutput[] = [];

  constructor(reach: Reach = 'loopback') {
    this.gateway = new Gateway({ reach, seed: 42 });
  }

  give(input: GatewayInput): void {
    this.outputs.push(...this.gateway.step(input, this.nowMs));
  }

  /** An IP packet from the guest. */
  send(packet: Uint8Array): void {
    const frame = { target: GATEWAY_MAC, source: MAC, type: ETHERTYPE.ipv4, payload: packet };
    this.give({ kind: 'frame', bytes: buildFrame(frame) });
  }

  /** Lets the gateway know where the guest is. */
  introduce(): void {
    const message = { operation: ARP.request, senderMac: MAC, senderIp: GUEST, targetMac: 0 };
    const payload = buildArp({ ...message, targetIp: GATEWAY_IP });
    const frame = { target: BROADCAST, source: MAC, type: ETHERTYPE.arp, payload };
    this.give({ kind: 'frame', bytes: buildFrame(frame) });
  }

  take<K extends GatewayOutput['kind']>(kind: K): Of<K>[] {
    const found = this.outputs.filter((output): output is Of<K> => output.kind === kind);
    this.outputs = this.outputs.filter((output) => output.kind !== kind);
    return found;
  }

  packets(): Packet[] {
    return this.take('frame').flatMap(({ bytes }) => {
      const frame = parseFrame(bytes);
      const packet = frame?.type === ETHERTYPE.ipv4 ? parsePacket(frame.payload) : null;
      return packet === null ? [] : [packet];
    });
  }

  segments(): Segment[] {
    return this.packets().flatMap((packet) => parseSegment(packet) ?? []);
  }
}

function segmentOf(change: Partial<Segment>): Segment {
  return {
    ...{ sourcePort: 80, targetPort: 0, seq: 0, ack: 0, flags: FLAG.ack, window: 0xffff },
    ...{ maxSegment: null, windowShift: null, payload: new Uint8Array(0), ...change },
  };
}

test('ARP for the gateway and the name server is answered, for others not', (t) => {
  const rig = new Rig();
  rig.introduce();
  const [answer] = rig.take('frame');
  t.like(parseArp(parseFrame(answer?.bytes ?? new Uint8Array(0))?.payload ?? new Uint8Array(0)), {
    operation: ARP.reply,
    senderIp: GATEWAY_IP,
    senderMac: GATEWAY_MAC,
    targetMac: MAC,
  });
});

test('each card gets one address by DHCP, and keeps it', (t) => {
  const rig = new Rig();
  const ask = (type: number, mac: number, wanted?: number): number[] => {
    const message = new Uint8Array(300);
    const view = new DataView(message.buffer);
    view.setUint32(0, 0x0101_0600);
    view.setUint32(4, 0xabcd);
    view.setUint16(28, mac >> 16);
    view.setUint32(30, mac);
    view.setUint32(236, 0x6382_5363);
    message.set([53, 1, type], 240);
    if (wanted !== undefined) {
      message.set([50, 4], 243);
      view.setUint32(245, wanted);
    }
    message[wanted === undefined ? 243 : 249] = 255;
    const datagram = { sourcePort: 68, targetPort: 67, payload: message };
    rig.send(buildDatagram(0, 0xffff_ffff, datagram));
    const answers = rig.packets().flatMap((packet) => parseDatagram(packet) ?? []);
    return answers.flatMap(({ payload }) => {
      const read = new DataView(payload.buffer, payload.byteOffset);
      return [payload[242] ?? 0, read.getUint32(16)];
    });
  };
  t.deepEqual(ask(1, 7), [2, GUEST]);
  t.deepEqual(ask(3, 7, GUEST), [5, GUEST]);
  t.deepEqual(ask(1, 8), [2, GUEST + 1]);
  t.deepEqual(ask(3, 8, GUEST), [6, 0]);
  t.deepEqual(ask(3, 7), [5, GUEST]);
  t.deepEqual(ask(7, 7), []);
});

test('datagrams go out as the policy allows and come back to the port they left', (t) => {
  const rig = new Rig();
  rig.introduce();
  const datagram = { sourcePort: 4000, targetPort: 9999, payload: Uint8Array.of(1) };
  rig.send(buildDatagram(GUEST, GATEWAY_IP, datagram));
  const [sent] = rig.take('send');
  t.like(sent, { address: LOOPBACK_IP, port: 9999 });
  const from = { address: LOOPBACK_IP, port: 9999, bytes: Uint8Array.of(2) };
  rig.give({ kind: 'datagram', flow: sent?.flow ?? 0, ...from });
  const [packet] = rig.packets();
  t.like(packet, { source: GATEWAY_IP, target: GUEST });
  rig.send(buildDatagram(GUEST, ELSEWHERE, datagram));
  t.is(rig.take('send').length, 0);
  t.is(rig.packets()[0]?.protocol, 1);
  rig.nowMs = (rig.gateway.deadlineMs() ?? 0) + 1;
  rig.give({ kind: 'tick' });
  t.is(rig.take('close-flow').length, 1);
});

test('a name is asked of the host, and the answer goes to who asked', (t) => {
  const rig = new Rig();
  rig.introduce();
  const question = { sourcePort: 4001, targetPort: 53, payload: Uint8Array.of(9) };
  rig.send(buildDatagram(GUEST, NAME_SERVER_IP, question));
  const [asked] = rig.take('resolve');
  rig.packets();
  rig.give({ kind: 'resolved', query: asked?.query ?? 0, bytes: Uint8Array.of(8) });
  const [packet] = rig.packets();
  t.like(packet, { source: NAME_SERVER_IP });
  t.is(packet === undefined ? 0 : parseDatagram(packet)?.targetPort, 4001);
});

/** A client of a forwarded port, and the guest's end of its connection. */
function served(rig: Rig): { stream: number; guest: TcpConnection; turn: () => void } {
  const stream = rig.gateway.takeStreamNumber();
  rig.give({ kind: 'client', stream, address: GUEST, port: 80 });
  const [syn] = rig.segments();
  if (syn === undefined) throw new Error('no SYN');
  const ends = { localPort: 80, remotePort: syn.sourcePort, firstSeq: 7 };
  const guest = TcpConnection.answer(ends, syn);
  guest.establish();
  const turn = (): void => {
    for (let more = true; more;) {
      more = false;
      for (const segment of guest.takeSegments(rig.nowMs)) {
        rig.send(buildSegment(GUEST, GATEWAY_IP, segment));
        more = true;
      }
      for (const segment of rig.segments()) {
        guest.receive(segment, rig.nowMs);
        more = true;
      }
    }
  };
  turn();
  return { stream, guest, turn };
}

function dataOf(guest: TcpConnection): string {
  return guest
    .takeEvents()
    .map((event) => (event.kind === 'data' ? Buffer.from(event.bytes).toString() : event.kind))
    .join('');
}

test('a client and a guest talk, and each hears that the other is done', (t) => {
  const rig = new Rig();
  rig.introduce();
  rig.packets();
  const { stream, guest, turn } = served(rig);
  t.is(dataOf(guest), 'opened');
  rig.give({ kind: 'data', stream, bytes: Buffer.from('question') });
  rig.give({ kind: 'ended', stream });
  turn();
  t.is(dataOf(guest), 'questionfinished');
  guest.send(Buffer.from('answer'));
  guest.finish();
  turn();
  t.deepEqual(
    rig.take('write').map(({ bytes }) => Buffer.from(bytes).toString()),
    ['answer'],
  );
  t.is(rig.take('finish').length, 1);
  rig.nowMs = rig.gateway.deadlineMs() ?? 0;
  rig.give({ kind: 'tick' });
  t.is(rig.gateway.streamCount, 0);
});

test('what the guest has not acknowledged is sent again when its machine has moved', (t) => {
  const rig = new Rig();
  rig.introduce();
  rig.packets();
  const { stream, guest, turn } = served(rig);
  dataOf(guest);
  rig.give({ kind: 'data', stream, bytes: Buffer.from('lost on the way') });
  t.is(rig.segments().length, 1);
  rig.nowMs = 50;
  rig.give({ kind: 'link-up' });
  turn();
  t.is(dataOf(guest), 'lost on the way');
  turn();
  rig.give({ kind: 'link-up' });
  turn();
  t.is(dataOf(guest), '');
});

test('a client is found once the guest says where it is', (t) => {
  const rig = new Rig();
  const stream = rig.gateway.takeStreamNumber();
  rig.give({ kind: 'client', stream, address: GUEST, port: 80 });
  const [question] = rig.take('frame');
  t.is(parseFrame(question?.bytes ?? new Uint8Array(0))?.type, ETHERTYPE.arp);
  rig.introduce();
  t.like(rig.segments(), [{ flags: FLAG.syn, targetPort: 80 }]);
});

test('a client whose guest does not listen is turned away', (t) => {
  const rig = new Rig();
  rig.introduce();
  rig.packets();
  const stream = rig.gateway.takeStreamNumber();
  rig.give({ kind: 'client', stream, address: GUEST, port: 80 });
  const [syn] = rig.segments();
  const reset = { flags: FLAG.rst | FLAG.ack, ack: ((syn?.seq ?? 0) + 1) % 2 ** 32 };
  rig.send(
    buildSegment(GUEST, GATEWAY_IP, segmentOf({ ...reset, targetPort: syn?.sourcePort ?? 0 })),
  );
  t.deepEqual(rig.take('abort'), [{ kind: 'abort', stream }]);
});

test('a guest that does not read stops its client, and a client that does not read its guest', (t) => {
  const rig = new Rig();
  rig.introduce();
  rig.packets();
  const { stream, guest, turn } = served(rig);
  for (let count = 0; count < 3; count++) {
    rig.give({ kind: 'data', stream, bytes: new Uint8Array(BUFFER_BYTES) });
    turn();
  }
  t.deepEqual(
    rig
      .take('read')
      .map(({ on }) => on)
      .at(-1),
    false,
  );
  guest.consumed(dataOf(guest).length - 'opened'.length);
  turn();
  guest.send(new Uint8Array(BUFFER_BYTES + 100));
  turn();
  const bytesWritten = (): number =>
    rig.take('write').reduce((sum, { bytes }) => sum + bytes.length, 0);
  const written = bytesWritten();
  t.true(written > BUFFER_BYTES - 1460 && written <= BUFFER_BYTES);
  rig.give({ kind: 'written', stream, count: written });
  rig.nowMs = 10_000;
  rig.give({ kind: 'tick' });
  guest.tick(10_000);
  turn();
  t.is(bytesWritten(), BUFFER_BYTES + 100 - written);
});

test('a guest connects to what it may reach, and is refused the rest', (t) => {
  for (const [reach, target, address] of [
    ['loopback', GATEWAY_IP, LOOPBACK_IP],
    ['any', ELSEWHERE, ELSEWHERE],
    ['loopback', ELSEWHERE, null],
    ['none', GATEWAY_IP, null],
    ['any', LOOPBACK_IP, null],
  ] as const) {
    const rig = new Rig(reach);
    rig.introduce();
    rig.packets();
    const syn = segmentOf({ sourcePort: 5000, targetPort: 25, seq: 99, flags: FLAG.syn });
    rig.send(buildSegment(GUEST, target, syn));
    const [asked] = rig.take('connect');
    if (address === null) {
      t.is(asked, undefined);
      t.like(rig.segments(), [{ flags: FLAG.rst | FLAG.ack, ack: 100 }]);
      continue;
    }
    t.like(asked, { address, port: 25 });
    t.deepEqual(rig.segments(), []);
    rig.give({ kind: 'connected', stream: asked?.stream ?? 0, ok: true });
    t.like(rig.segments(), [{ flags: FLAG.syn | FLAG.ack, ack: 100, targetPort: 5000 }]);
  }
});

test('a guest hears that the host refused, and gets a reset for what is not there', (t) => {
  const rig = new Rig();
  rig.introduce();
  rig.packets();
  const syn = segmentOf({ sourcePort: 5000, targetPort: 25, seq: 99, flags: FLAG.syn });
  rig.send(buildSegment(GUEST, GATEWAY_IP, syn));
  const [asked] = rig.take('connect');
  rig.give({ kind: 'connected', stream: asked?.stream ?? 0, ok: false });
  t.like(rig.segments(), [{ flags: FLAG.rst | FLAG.ack }]);
  rig.send(buildSegment(GUEST, GATEWAY_IP, segmentOf({ sourcePort: 1, targetPort: 2, ack: 55 })));
  t.like(rig.segments(), [{ flags: FLAG.rst, seq: 55 }]);
});
