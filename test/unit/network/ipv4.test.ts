/**
 * Goal: packets are built as other stacks read them, and damaged ones are not believed.
 * Method: bytes captured from another stack, round trips, and a flipped bit at every place.
 */

import test from 'ava';
import { ARP, buildAnnouncement, buildArp, parseArp } from '../../../lib/network/arp.js';
import { ByteQueue } from '../../../lib/network/byte-queue.js';
import {
  buildFrame,
  BROADCAST,
  formatMac,
  isGroup,
  parseFrame,
  parseMac,
} from '../../../lib/network/ethernet.js';
import {
  buildPacket,
  checksumOf,
  formatIp,
  parseIp,
  parsePacket,
  sumOf,
} from '../../../lib/network/ipv4.js';
import { RoundTrip } from '../../../lib/network/round-trip.js';
import { buildSegment, FLAG, parseSegment } from '../../../lib/network/tcp-segment.js';
import {
  answerEcho,
  buildDatagram,
  buildUnreachable,
  parseDatagram,
} from '../../../lib/network/udp.js';
import { Random } from '../../support/random.js';

const A = 0x0a00_020f;
const B = 0x0a00_0202;

test('the checksum is the one of RFC 1071', (t) => {
  const words = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  t.is(sumOf(words), 0x2ddf0);
  t.is(checksumOf(sumOf(words)), 0x220d);
  // A header that every description of IP shows.
  const header = Buffer.from('45000073000040004011b861c0a80001c0a800c7', 'hex');
  t.is(checksumOf(sumOf(header)), 0);
});

test('addresses are read and written', (t) => {
  t.is(formatIp(A), '10.0.2.15');
  t.is(parseIp('10.0.2.15'), A);
  for (const text of ['10.0.2', '10.0.2.256', '10.0.2.15 ', '::1']) t.is(parseIp(text), null);
  t.is(formatMac(0x52_54_00_12_34_56), '52:54:00:12:34:56');
  t.is(parseMac('52:54:00:12:34:56'), 0x52_54_00_12_34_56);
  t.true(Number.isNaN(parseMac('52:54:00:12:34')));
  t.true(isGroup(BROADCAST) && isGroup(0x01_00_5e_00_00_01) && !isGroup(0x52_54_00_12_34_56));
});

test('frames, ARP and announcements come back as they were', (t) => {
  const message = { operation: ARP.request, senderMac: 1, senderIp: A, targetMac: 0, targetIp: B };
  const frame = { target: BROADCAST, source: 0x52_54_00_00_00_01, type: 0x806 };
  const bytes = buildFrame({ ...frame, payload: buildArp(message) });
  const parsed = parseFrame(bytes);
  t.like(parsed, frame);
  t.deepEqual(parseArp(parsed?.payload ?? bytes), message);
  t.is(parseFrame(bytes.subarray(0, 13)), null);
  t.is(parseArp(bytes), null);
  const announcement = parseFrame(buildAnnouncement(0x52_54_00_12_34_56));
  t.like(announcement, { target: BROADCAST, source: 0x52_54_00_12_34_56, type: 0x8035 });
});

test('a flipped bit in header or payload makes a segment or datagram nothing', (t) => {
  const random = new Random(3);
  const segment = {
    ...{ sourcePort: 5, targetPort: 80, seq: 0xffff_fff0, ack: 7, flags: FLAG.syn | FLAG.ack },
    ...{ window: 9000, maxSegment: 1460, windowShift: 7, payload: random.bytes(33) },
  };
  const packet = parsePacket(buildSegment(A, B, segment));
  t.truthy(packet);
  if (packet === null) return;
  t.deepEqual(parseSegment(packet), { ...segment, payload: packet.payload.subarray(28) });
  const datagram = { sourcePort: 53, targetPort: 9, payload: random.bytes(31) };
  for (const bytes of [buildSegment(A, B, segment), buildDatagram(A, B, datagram)]) {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = parsePacket(flipped);
      if (read === null) continue;
      // The kind of service and the like are in the header's checksum; the rest in the other.
      t.true(parseSegment(read) === null || read.protocol !== 6, `bit ${bit}`);
      const asDatagram = read.protocol === 17 ? parseDatagram(read) : null;
      // A checksum that became 0 is none: no bit of a sum of these bytes does that.
      t.is(asDatagram, null, `bit ${bit}`);
    }
  }
});

test('cut packets are nothing, and never an exception', (t) => {
  const whole = buildSegment(A, B, {
    ...{ sourcePort: 5, targetPort: 80, seq: 1, ack: 7, flags: FLAG.ack, window: 9000 },
    ...{ maxSegment: null, windowShift: null, payload: Uint8Array.of(1, 2, 3) },
  });
  for (let length = 0; length < whole.length; length++) {
    t.is(parsePacket(whole.subarray(0, length)), null);
  }
  const random = new Random(9);
  for (let count = 0; count < 5_000; count++) {
    const packet = { source: A, target: B, protocol: 6, payload: random.bytes(random.below(64)) };
    t.notThrows(() => [parseSegment(packet), parseDatagram(packet), answerEcho(packet)]);
  }
});

test('a fragment is not a packet', (t) => {
  const bytes = buildPacket({ source: A, target: B, protocol: 17, payload: new Uint8Array(8) });
  bytes[6] = 0x20;
  bytes[10] = 0;
  bytes[11] = 0;
  const sum = checksumOf(sumOf(bytes.subarray(0, 20)));
  bytes[10] = sum >> 8;
  bytes[11] = sum & 0xff;
  t.is(parsePacket(bytes), null);
});

test('an echo is answered with what it carried, and a dead port with what was sent there', (t) => {
  const ping = Buffer.from('08000000000100026162636465', 'hex');
  ping.writeUInt16BE(checksumOf(sumOf(ping)), 2);
  const answer = parsePacket(
    answerEcho({ source: A, target: B, protocol: 1, payload: ping }) ?? ping,
  );
  t.like(answer, { source: B, target: A, protocol: 1 });
  t.is(
    Buffer.from(answer?.payload ?? ping)
      .toString('hex')
      .slice(8),
    '000100026162636465',
  );
  const sent = {
    source: A,
    target: B,
    protocol: 17,
    payload: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  };
  const word = parsePacket(buildUnreachable(sent));
  t.is(word?.payload[0], 3);
  t.is(word?.payload.length, 8 + 28);
});

test('a queue of bytes reads anywhere and drops in front', (t) => {
  const random = new Random(4);
  const queue = new ByteQueue();
  let model = Buffer.alloc(0);
  for (let turn = 0; turn < 3_000; turn++) {
    const bytes = random.bytes(random.below(40));
    queue.add(bytes);
    model = Buffer.concat([model, bytes]);
    const count = random.below(Math.min(60, model.length) + 1);
    queue.drop(count);
    model = model.subarray(count);
    const from = random.below(model.length + 1);
    const length = random.below(model.length - from + 1);
    t.true(model.subarray(from, from + length).equals(queue.read(from, length)));
    t.is(queue.length, model.length);
  }
});

test('a timeout follows the round trip between its bounds, and doubles while nobody answers', (t) => {
  const roundTrip = new RoundTrip();
  t.is(roundTrip.timeoutMs(), 1_000);
  for (let count = 0; count < 50; count++) roundTrip.measure(1);
  t.is(roundTrip.timeoutMs(), 200);
  for (let count = 0; count < 50; count++) roundTrip.measure(300);
  t.true(roundTrip.timeoutMs() >= 300 && roundTrip.timeoutMs() < 1_000);
  const before = roundTrip.timeoutMs();
  roundTrip.backOff();
  t.is(roundTrip.timeoutMs(), before * 2);
  for (let count = 0; count < 50; count++) roundTrip.backOff();
  t.is(roundTrip.timeoutMs(), 5_000);
  roundTrip.recover();
  t.is(roundTrip.timeoutMs(), before);
});
