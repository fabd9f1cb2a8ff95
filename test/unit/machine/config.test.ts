/**
 * Goal: a configuration that this version can't build is refused before anything is built.
 * Method: one wrong value at a time.
 */

import test from 'ava';
import { checkConfig } from '../../../lib/machine/config.js';
import { PROGRAM_CONFIG } from '../../support/program.js';

test('wrong harts, memory and network addresses are USAGE', (t) => {
  t.notThrows(() => checkConfig(PROGRAM_CONFIG));
  t.notThrows(() => checkConfig({ ...PROGRAM_CONFIG, network: { mac: '52:54:00:12:34:56' } }));
  const wrong = [
    { harts: 2 },
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
