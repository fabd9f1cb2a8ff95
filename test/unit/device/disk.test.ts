/**
 * Goal: a disk reads what was last written, wherever its blocks lie; the base image is only read;
 * and whoever asks which blocks were written is told all of them, once.
 * Method: random reads, writes and zeroings against a plain array, then each rule by itself.
 */

import test from 'ava';
import { BLOCK_STATE, Disk } from '../../../lib/device/disk.js';
import { memoryDisk, numbered } from '../../support/memory-disk.js';
import { random } from './rig.js';

test('random requests read as on a plain array (16 seeds, a size that ends within a block)', (t) => {
  for (let seed = 1; seed <= 16; seed++) {
    const below = random(seed * 77);
    const sectors = 64 + below(9);
    const { disk, storage } = memoryDisk(sectors);
    const model = numbered(sectors);
    const pristine = storage.base.slice();
    for (let turn = 0; turn < 300; turn++) {
      const sector = below(sectors);
      const count = below(sectors - sector + 1);
      const bytes = new Uint8Array(count * 512).fill(below(256));
      const kind = below(3);
      if (kind === 0) {
        disk.write(sector, bytes);
        model.set(bytes, sector * 512);
      } else if (kind === 1) {
        disk.zero(sector, count);
        model.fill(0, sector * 512, (sector + count) * 512);
      } else {
        disk.read(sector, bytes);
        t.deepEqual(bytes, model.slice(sector * 512, (sector + count) * 512));
      }
    }
    t.deepEqual(storage.base, pristine);
    const reopened = new Disk(sectors * 512, storage, storage.map.slice());
    const all = new Uint8Array(sectors * 512);
    reopened.read(0, all);
    t.deepEqual(all, model, 'a disk opened again from overlay and map');
  }
});

test('the blocks that were written are taken once, in order, up to a limit', (t) => {
  const { disk } = memoryDisk(800);
  t.deepEqual(disk.takeDirtyBlocks(10), []);
  disk.write(8 * 50, new Uint8Array(512));
  disk.write(8 * 3, new Uint8Array(4096 * 2));
  disk.zero(8 * 90, 8);
  disk.write(8 * 3, new Uint8Array(512));
  t.deepEqual(disk.takeDirtyBlocks(3), [3, 4, 50]);
  t.true(disk.hasDirtyBlocks);
  t.deepEqual(disk.takeDirtyBlocks(3), [90]);
  t.false(disk.hasDirtyBlocks);
  disk.write(0, new Uint8Array(512));
  t.deepEqual(disk.takeDirtyBlocks(3), [0]);
});

test('blocks carry a disk to another replica, written zeros included', (t) => {
  const source = memoryDisk(83).disk;
  source.write(5, new Uint8Array(512 * 30).fill(9));
  source.zero(40, 24);
  source.write(80, new Uint8Array(3 * 512).fill(4));
  const target = memoryDisk(83).disk;
  target.write(70, new Uint8Array(512).fill(1));
  target.reset();
  for (let block = 0; block < source.blockCount; block++) {
    if (source.isWritten(block)) target.writeBlock(block, source.readBlock(block));
  }
  for (let block = 0; block < source.blockCount; block++) {
    t.deepEqual(target.readBlock(block), source.readBlock(block), `block ${block}`);
    t.is(target.isWritten(block), source.isWritten(block));
  }
});

test('whole zeroed blocks take no data, and a reset gives the base image back', (t) => {
  const { disk, storage } = memoryDisk(64);
  disk.zero(0, 64);
  t.true(storage.overlay.every((byte) => byte === 0xee));
  t.true(storage.map.every((state) => state === BLOCK_STATE.zero));
  disk.reset();
  const all = new Uint8Array(64 * 512);
  disk.read(0, all);
  t.deepEqual(all, numbered(64));
  t.true(storage.map.every((state) => state === BLOCK_STATE.base));
  t.false(disk.hasDirtyBlocks);
});

test('what lies outside the disk is the caller’s mistake', (t) => {
  const { disk } = memoryDisk(8);
  t.throws(() => disk.read(8, new Uint8Array(512)), { message: /sector 8/ });
  t.throws(() => disk.write(0, new Uint8Array(100)), { message: /100 bytes/ });
});
