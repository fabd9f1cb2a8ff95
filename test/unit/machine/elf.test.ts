/**
 * Goal: an ELF file is read exactly, or refused with the reason, never in part.
 * Method: a small file built field by field, spoiled in each field, and cut at every byte.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { parseElf } from '../../../lib/machine/elf.js';
import { random } from '../device/rig.js';
import { elfOf } from './images.js';

function refusal(bytes: Uint8Array): string {
  try {
    parseElf(bytes, 'kernel');
  } catch (error) {
    if (error instanceof LockstepError && error.code === 'BAD_IMAGE') return error.message;
    throw error;
  }
  return '';
}

test('segments, entry and the symbols of HTIF and signature are read', (t) => {
  const elf = parseElf(
    elfOf({
      entry: 0x8000_0004n,
      symbols: [
        ['other', 1n],
        ['tohost', 0x8000_1000n],
        ['tohost2', 2n],
        ['fromhost', 0x8000_1040n],
        ['begin_signature', 0x8000_2000n],
        ['end_signature', 0x8000_2010n],
      ],
    }),
    'kernel',
  );
  t.is(elf.entry, 0x8000_0004n);
  t.deepEqual(
    elf.segments.map(({ address, bytes, memoryBytes }) => [address, bytes.length, memoryBytes]),
    [
      [0x8000_0000n, 24, 24n],
      [0x8000_1000n, 8, 0x100n],
    ],
  );
  t.deepEqual(elf.symbols, {
    tohost: 0x8000_1000n,
    fromhost: 0x8000_1040n,
    begin_signature: 0x8000_2000n,
    end_signature: 0x8000_2010n,
  });
});

test('every proper prefix of a file is refused as BAD_IMAGE (cut at each byte)', (t) => {
  const file = elfOf();
  for (let length = 0; length < file.length; length++) {
    t.not(refusal(file.subarray(0, length)), '', `cut at ${length}`);
  }
  t.is(refusal(file), '');
});

test('another class, byte order, machine or type is named in the refusal', (t) => {
  t.regex(refusal(elfOf({ elfClass: 1 })), /32-bit/);
  t.regex(refusal(elfOf({ byteOrder: 2 })), /big-endian/);
  t.regex(refusal(elfOf({ machine: 62 })), /not for RISC-V \(ELF machine 62\)/);
  t.regex(refusal(elfOf({ type: 1 })), /not an executable/);
  t.regex(refusal(new TextEncoder().encode('#!/bin/sh\n')), /not an ELF/);
});

test('a segment larger than its memory, or none at all, is refused', (t) => {
  const bytes = new Uint8Array(8);
  t.regex(refusal(elfOf({ segments: [[0x8000_0000n, bytes, 4n]] })), /larger than its memory/);
  t.regex(refusal(elfOf({ segments: [] })), /nothing to load/);
  t.regex(refusal(elfOf({ segments: [[0n, new Uint8Array(0), 0n]] })), /nothing to load/);
});

test('random damage is read or refused, never anything else (20,000 files)', (t) => {
  const next = random(99);
  const whole = elfOf();
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const file = whole.slice();
    for (let n = 1 + next(4); n > 0; n--) {
      file[4 + next(file.length - 4)] = next(3) === 0 ? 0xff : next(256);
    }
    if (refusal(file) !== '') refused++;
  }
  t.true(refused > 1000, `${refused} refused`);
});
