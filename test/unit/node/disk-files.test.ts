/**
 * Goal: each machine of a node begins with overlays of its own, and those of a machine that was
 * replaced are gone.
 * Method: a state directory with the folders of earlier machines in it.
 */

import test from 'ava';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeDisks, removeNodeDisks } from '../../../lib/node/disk-files.js';
import { DEFAULT_ENGINE } from '../../../lib/machine/engine.js';
import { TOY_CONFIG, TOY_IMAGES } from '../../support/toy-config.js';

const spec = {
  config: { ...TOY_CONFIG, disks: [{ sizeBytes: 512, sha256: 'ab'.repeat(32) }] },
  images: TOY_IMAGES,
  diskBases: ['/base.img'],
  imageFiles: [],
  engine: DEFAULT_ENGINE,
  network: null,
  machineFactory: null,
};

test('overlays are numbered on from what is there, and removed with their folder', (t) => {
  const stateDir = mkdtempSync(join(tmpdir(), 'lockstep-disks-'));
  mkdirSync(join(stateDir, 'disks-7'));
  const disks = createNodeDisks(spec, { stateDir, ack: 'memory' });
  t.is(disks.folder, join(stateDir, 'disks-8'));
  t.is(disks.files[0]?.overlay, join(stateDir, 'disks-8', 'disk-0.overlay'));
  t.is(disks.files[0]?.base, '/base.img');
  removeNodeDisks(disks);
  t.false(existsSync(join(stateDir, 'disks-8')));
  const next = createNodeDisks(spec, { stateDir, ack: 'memory' });
  t.is(next.folder, join(stateDir, 'disks-9'), 'a number is not given twice');
  removeNodeDisks(disks);
  t.true(existsSync(join(stateDir, 'disks-9')), 'removed again, the first takes nothing along');
  rmSync(stateDir, { recursive: true });
});

test('without a state directory, or without a disk, there is no folder', (t) => {
  const nowhere = createNodeDisks(spec, null);
  t.is(nowhere.folder, null);
  t.is(nowhere.files[0]?.overlay, null);
  removeNodeDisks(nowhere);
  const storage = { stateDir: '/nowhere', ack: 'memory' } as const;
  t.deepEqual(createNodeDisks({ ...spec, config: TOY_CONFIG }, storage).files, []);
});
