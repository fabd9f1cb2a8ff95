/**
 * Goal: a machine that this version can't build is refused before anything is built, with words
 * that say what to ask for.
 * Method: one wrong value at a time.
 */

import test from 'ava';
import { checkConfig, MAX_DISK_BYTES, type MachineConfig } from '../../../lib/machine/config.js';
import { PROGRAM_CONFIG } from '../../support/program.js';

test('wrong harts, memory and network addresses are USAGE', (t) => {
  t.notThrows(() => checkConfig(PROGRAM_CONFIG));
  t.notThrows(() => checkConfig({ ...PROGRAM_CONFIG, network: { mac: '52:54:00:12:34:56' } }));
  const wrong = [
    { harts: 9 },
    { memoryBytes: 3 << 20 },
    { memoryBytes: 0 },
    // A group address, a short one, one in capitals.
    ...['53:54:00:12:34:56', '52:54:00:12:34', '52:54:00:12:34:5A'].map((mac) => ({
      network: { mac },
    })),
  ];
  for (const change of wrong) {
    t.throws(() => checkConfig({ ...PROGRAM_CONFIG, ...change }), { code: 'USAGE' });
  }
});

const disk = (sizeBytes: number) => ({ sizeBytes, sha256: '00'.repeat(32) });

test('wrong disks are USAGE, and the message says what is wrong', (t) => {
  const wrong: readonly (readonly [Partial<MachineConfig>, RegExp])[] = [
    [{ harts: 9 }, /9 harts: give 1 to 8/],
    [{ memoryBytes: 3 << 20 }, /multiple of 2M/],
    [{ disks: [disk(0)] }, /a disk of 0 bytes/],
    [{ disks: [disk(4096), disk(1000)] }, /whole sectors/],
    [{ disks: [disk(MAX_DISK_BYTES + 512)] }, /at most 256G/],
    [{ disks: Array.from({ length: 5 }, () => disk(512)) }, /5 disks, at most 4/],
  ];
  for (const [change, message] of wrong) {
    t.throws(() => checkConfig({ ...PROGRAM_CONFIG, ...change }), { message });
  }
  t.notThrows(() => checkConfig({ ...PROGRAM_CONFIG, disks: [disk(MAX_DISK_BYTES), disk(512)] }));
});
