/**
 * Goal: bytes are found and put by their position in a request, however it is cut.
 * Method: the same text in every cut of three segments.
 */

import test from 'ava';
import { readSegments, writeSegments } from '../../../../lib/device/virtio/queue-segments.js';
import { TestRam } from '../rig.js';

const BASE = 0x8000_0000n;
const TEXT = Uint8Array.from({ length: 12 }, (_, at) => at + 1);

test('a request reads and writes alike in every cut', (t) => {
  for (let first = 0; first <= TEXT.length; first++) {
    for (let second = 0; second <= TEXT.length - first; second++) {
      const ram = new TestRam(BASE, 256);
      const lengths = [first, second, TEXT.length - first - second];
      const segments = lengths.map((bytes, index) => ({
        address: BASE + BigInt(index * 64),
        bytes,
      }));
      writeSegments(ram, segments, 0, TEXT.subarray(0, 5));
      writeSegments(ram, segments, 5, TEXT.subarray(5));
      t.deepEqual(readSegments(ram, segments, 0, TEXT.length), TEXT);
      t.deepEqual(readSegments(ram, segments, 3, 6), TEXT.slice(3, 9));
      t.deepEqual(readSegments(ram, segments, 10, 9), TEXT.slice(10), 'as many as there are');
    }
  }
});
