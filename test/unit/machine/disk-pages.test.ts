/**
 * Goal: what the guest writes to its disks is part of the machine's state: hashed when written,
 * carried by a snapshot, and a replica that differs in it is found.
 * Method: a machine with two disks whose blocks are written behind the guest's back, by the same
 * objects that the device uses.
 */

import test from 'ava';
import { createRiscvMachine } from '../../../lib/machine/riscv-machine.js';
import { DEFAULT_ENGINE } from '../../../lib/machine/engine.js';
import { hashWholeState } from '../../../lib/session/state-check.js';
import { freshState } from '../../../lib/session/session-state.js';
import { encodeSnapshot, restoreSnapshot } from '../../../lib/session/snapshot.js';
import { memoryDisk } from '../../support/memory-disk.js';
import { configOf, elfOf } from './images.js';

const MEMORY = 2 << 20;
const RAM_PAGES = MEMORY / 4096;
const SECTORS = [800, 83] as const;

function machineWithDisks() {
  const made = SECTORS.map((sectors) => memoryDisk(sectors));
  const disks = SECTORS.map((sectors) => ({ sizeBytes: sectors * 512, sha256: '11'.repeat(32) }));
  const images = { bios: null, kernel: elfOf(), initrd: null };
  const config = { ...configOf(MEMORY), disks };
  const machine = createRiscvMachine(config, images, DEFAULT_ENGINE, {
    disks: made.map(({ disk }) => disk),
  });
  return { machine, first: made[0]?.disk, second: made[1]?.disk, storage: made[0]?.storage };
}

test('written blocks are dirty pages behind those of RAM, with their hashes', (t) => {
  const a = machineWithDisks();
  const b = machineWithDisks();
  t.is(a.machine.pageCount, RAM_PAGES + 100 + 11);
  a.machine.takeDirtyPages();
  b.machine.takeDirtyPages();
  for (const { first, second } of [a, b]) {
    first?.write(8 * 7, new Uint8Array(4096).fill(5));
    second?.zero(8, 8);
  }
  const dirty = a.machine.takeDirtyPages();
  t.deepEqual(
    dirty.map(([page]) => page),
    [RAM_PAGES + 7, RAM_PAGES + 101],
  );
  t.deepEqual(b.machine.takeDirtyPages(), dirty);
  t.deepEqual(a.machine.takeDirtyPages(), []);
  t.is(a.machine.pageName(RAM_PAGES + 101), 'block 1 of disk 1 (byte 0x1000)');
  t.regex(a.machine.pageName(1), /^page 1 \(0x80001000\)/);
});

test('a flipped byte in a replica’s overlay changes the hash of its state', (t) => {
  const a = machineWithDisks();
  a.first?.write(8 * 7, new Uint8Array(4096).fill(5));
  const before = hashWholeState(a.machine);
  const { storage } = a;
  if (storage === undefined) throw new Error('no storage');
  storage.overlay[7 * 4096 + 100] = 6;
  t.not(hashWholeState(a.machine), before);
  storage.overlay[7 * 4096 + 100] = 5;
  t.is(hashWholeState(a.machine), before);
});

test('a snapshot carries what differs from the base images, and nothing else stays', (t) => {
  const source = machineWithDisks();
  source.first?.write(3, new Uint8Array(512 * 40).fill(9));
  source.first?.zero(0, 8);
  source.second?.write(80, new Uint8Array(512 * 3).fill(1));
  const state = freshState(source.machine, 1n);
  const bytes = encodeSnapshot(source.machine, state);
  const target = machineWithDisks();
  target.first?.write(700, new Uint8Array(512).fill(8));
  restoreSnapshot(target.machine, bytes);
  t.is(hashWholeState(target.machine), hashWholeState(source.machine));
  t.false(target.machine.hasMoreDirtyPages());
  t.deepEqual(target.first?.readBlock(87), memoryDisk(SECTORS[0]).disk.readBlock(87));
});

test('more blocks than a check takes are left for the next', (t) => {
  const sectors = 8 * 20_000;
  const { disk } = memoryDisk(sectors);
  const disks = [{ sizeBytes: sectors * 512, sha256: '11'.repeat(32) }];
  const images = { bios: null, kernel: elfOf(), initrd: null };
  const machine = createRiscvMachine({ ...configOf(MEMORY), disks }, images, DEFAULT_ENGINE, {
    disks: [disk],
  });
  machine.takeDirtyPages();
  disk.zero(0, sectors);
  const counts = [machine.takeDirtyPages().length];
  t.true(machine.hasMoreDirtyPages());
  counts.push(machine.takeDirtyPages().length);
  t.false(machine.hasMoreDirtyPages());
  t.deepEqual(counts, [16_384, 3616]);
});
