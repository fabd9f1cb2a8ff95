/**
 * Goal: a worker sees the images of a machine byte for byte, and without a copy of its own.
 */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import test from 'ava';
import { readShared, shareImages } from '../../../lib/host/shared-images.js';
import type { MachineImages } from '../../../lib/machine/config.js';

const IMAGES: MachineImages = {
  bios: Uint8Array.from([1, 2, 3]),
  kernel: Uint8Array.from({ length: 5000 }, (_, index) => index & 0xff),
  initrd: null,
};

test('shared images have the same bytes, and what is missing stays so', (t) => {
  const { bios, kernel, initrd } = shareImages(IMAGES);
  t.deepEqual([...(bios ?? [])], [...(IMAGES.bios ?? [])]);
  t.deepEqual([...(kernel ?? [])], [...(IMAGES.kernel ?? [])]);
  t.is(initrd, null);
});

test('a part of a larger buffer is shared alone', (t) => {
  const whole = Uint8Array.from({ length: 64 }, (_, index) => index);
  const { kernel } = shareImages({ ...IMAGES, kernel: whole.subarray(16, 32) });
  t.is(kernel?.buffer.byteLength, 16);
  t.is(kernel?.[0], 16);
});

test('a message carries the memory itself', (t) => {
  const images = shareImages(IMAGES);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(images);
  const received = receiveMessageOnPort(port2)?.message as MachineImages;
  port1.close();
  if (images.kernel !== null) images.kernel[7] = 99;
  t.is(received.kernel?.[7], 99);
});

test('what is shared already is not copied again', (t) => {
  const images = shareImages(IMAGES);
  t.is(shareImages(images).kernel, images.kernel);
});

test('a file is read into shared memory whole, and a pipe as it comes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-images-'));
  const path = join(folder, 'image');
  const content = Uint8Array.from({ length: 70_001 }, (_, index) => (index * 7) & 0xff);
  writeFileSync(path, content);
  const bytes = readShared(path);
  t.true(bytes.buffer instanceof SharedArrayBuffer);
  t.deepEqual([...bytes], [...content]);
  writeFileSync(path, '');
  t.is(readShared(path).length, 0);
  t.throws(() => readShared(join(folder, 'none')), { code: 'ENOENT' });
  t.throws(() => readShared(folder), { code: 'EISDIR' });
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const writer = spawn('sh', ['-c', `printf abc > '${pipe}'`]);
  t.deepEqual([...readShared(pipe)], [...Buffer.from('abc')]);
  await once(writer, 'exit');
  rmSync(folder, { recursive: true });
});
