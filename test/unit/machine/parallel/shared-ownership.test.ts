/**
 * Goal: a page that others have is stolen with all standing and written down; a replay refuses it;
 * a hart alone just takes it; a device takes it in the middle of its work.
 * Method: the ownership of hart 0, while hart 1 stands.
 */

import test from 'ava';
import { machineLayout } from '../../../../lib/machine/machine-layout.js';
import { joinPage } from '../../../../lib/machine/parallel/page-owners.js';
import { Settlement } from '../../../../lib/machine/parallel/settlement.js';
import { FAILURE, MODE, SharedWords, WORD } from '../../../../lib/machine/parallel/shared-words.js';
import { SharedOwnership } from '../../../../lib/machine/parallel/shared-ownership.js';
import { Standstill } from '../../../../lib/machine/parallel/standstill.js';
import { AGAIN, RESTART } from '../../../../lib/riscv/page-rights.js';
import { PROGRAM_CONFIG } from '../../../support/program.js';

const CONFIG = { ...PROGRAM_CONFIG, harts: 2, schedule: 'parallel' as const };

function ofHart0() {
  const layout = machineLayout(CONFIG);
  const buffer = new SharedArrayBuffer(layout.totalBytes);
  const words = new SharedWords(2, layout, buffer);
  const standstill = new Standstill({
    words,
    hart: 0,
    port: { wait: () => undefined },
    isParked: () => false,
  });
  const settlement = new Settlement(words, layout, buffer);
  const parts = { words, hart: 0, standstill, settlement, step: () => 40n, settled: () => {} };
  const ownership = new SharedOwnership(parts);
  words.store(WORD.stands + 1, 1);
  joinPage(words, 1, 6, 'write');
  const thrown = (page = 6): unknown => {
    try {
      ownership.acquire(0, page, 'read');
      return null;
    } catch (error) {
      return error;
    }
  };
  return { words, ownership, thrown };
}

test('a free page is just had, a page of another stolen', (t) => {
  const { words, thrown } = ofHart0();
  t.is(thrown(5), null);
  t.deepEqual(words.takeSteals(), []);
  t.is(thrown(), AGAIN);
  t.deepEqual(words.takeSteals(), [
    { hart: 0, page: 6, isWrite: false, byDevice: false, steps: [40, 0] },
  ]);
  t.is(thrown(), null);
});

test('who does not get the lock begins again, and takes nothing', (t) => {
  const { words, thrown } = ofHart0();
  words.store(WORD.lock, 2);
  t.is(thrown(), RESTART);
  t.deepEqual(words.takeSteals(), []);
});

test('a replay refuses what its log does not say', (t) => {
  const { words, thrown } = ofHart0();
  words.store(WORD.mode, MODE.replay);
  t.is(thrown(), RESTART);
  t.is(words.load(WORD.failure), FAILURE.conflict);
  t.is(words.load(WORD.failedPage), 6);
});

test('a hart that runs alone takes without a word', (t) => {
  const { words, thrown } = ofHart0();
  words.store(WORD.mode, MODE.solo);
  t.is(thrown(), null);
  t.deepEqual(words.takeSteals(), []);
});

test('a device steals in the middle of its work, and nobody comes between', (t) => {
  const { words, ownership, thrown } = ofHart0();
  t.true(ownership.hold());
  t.is(thrown(), null);
  t.is(words.takeSteals()[0]?.byDevice, true);
  t.is(words.load(WORD.lock), 1);
  ownership.release();
  t.is(words.load(WORD.lock), 0);
});
