/**
 * Goal: a kernel Image is placed by its header, or refused with the reason.
 * Method: a header built field by field; Debian's kernel has the same fields.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { compression, isLinuxImage, parseLinuxImage } from '../../../lib/machine/linux-image.js';
import { linuxImageOf } from './images.js';

test('the header gives offset and memory, of which the file is the least', (t) => {
  t.deepEqual(parseLinuxImage(linuxImageOf()), { textOffset: 0x20_0000n, memoryBytes: 0x2000n });
  t.is(parseLinuxImage(linuxImageOf({ memoryBytes: 0n })).memoryBytes, 0x1000n);
  t.is(parseLinuxImage(linuxImageOf({ sectionsEnd: null })).memoryBytes, 0x2000n);
});

test('an Image is known by its magic numbers', (t) => {
  t.true(isLinuxImage(linuxImageOf()));
  t.false(isLinuxImage(new Uint8Array(64)));
  t.false(isLinuxImage(new Uint8Array(10)));
});

test('a truncated Image is refused (cut at each byte after the magic number)', (t) => {
  const file = linuxImageOf();
  for (let length = 60; length < file.length; length++) {
    const cut = file.subarray(0, length);
    const error = t.throws(() => parseLinuxImage(cut), { instanceOf: LockstepError }, `${length}`);
    t.is(error.code, 'BAD_IMAGE');
    t.regex(error.message, /truncated/);
  }
});

test('a big-endian Image is refused', (t) => {
  t.throws(() => parseLinuxImage(linuxImageOf({ flags: 1n })), { message: /big-endian/ });
});

test('compressed kernels are recognised by name', (t) => {
  const of = (...bytes: number[]): string | null => compression(Uint8Array.from(bytes));
  t.is(of(0x1f, 0x8b, 8), 'gzip');
  t.is(compression(new TextEncoder().encode('MZ\0\0zimg')), 'EFI zboot');
  t.is(of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), 'xz');
  t.is(of(0x28, 0xb5, 0x2f, 0xfd), 'zstd');
  t.is(compression(linuxImageOf()), null);
});
