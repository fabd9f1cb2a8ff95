/**
 * Goal: output leaves in order, joined only within its stream, and a buffer that is full says so.
 * Method: pieces of two streams.
 */

import test from 'ava';
import { OutputBuffer } from '../../../lib/machine/output-buffer.js';

test('pieces of a stream are joined until another stream or a long piece comes between', (t) => {
  const buffer = new OutputBuffer();
  buffer.add({ stream: 'uart', offset: 0n, bytes: Uint8Array.of(1) });
  buffer.add({ stream: 'uart', offset: 1n, bytes: Uint8Array.of(2, 3) });
  buffer.add({ stream: 'virtio-console', offset: 0n, bytes: new Uint8Array(300).fill(9) });
  buffer.add({ stream: 'virtio-console', offset: 300n, bytes: Uint8Array.of(8) });
  buffer.add({ stream: 'uart', offset: 3n, bytes: new Uint8Array(0) });
  t.deepEqual(
    buffer.take().map(({ stream, offset, bytes }) => [stream, offset, bytes.length]),
    [
      ['uart', 0n, 3],
      ['virtio-console', 0n, 300],
      ['virtio-console', 300n, 1],
    ],
  );
  t.deepEqual(buffer.take(), []);
});

test('a buffer is full from 16 KiB on, until it is taken', (t) => {
  const buffer = new OutputBuffer();
  buffer.add({ stream: 'uart', offset: 0n, bytes: new Uint8Array(16_383) });
  t.false(buffer.isFull);
  buffer.add({ stream: 'uart', offset: 16_383n, bytes: Uint8Array.of(1) });
  t.true(buffer.isFull);
  buffer.take();
  t.false(buffer.isFull);
});
