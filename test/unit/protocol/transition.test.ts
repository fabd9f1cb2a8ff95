/**
 * Goal: the tables of states say what their diagrams say.
 * Method: read the arrows of the header comment and compare them with the table.
 */

import { readFileSync } from 'node:fs';
import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { BACKUP_TRANSITIONS } from '../../../lib/protocol/backup-states.js';
import { PRIMARY_TRANSITIONS } from '../../../lib/protocol/primary-states.js';
import { arrows, assertTransition } from '../../../lib/protocol/transition.js';

/** Tests run from dist/test/unit/protocol; sources stand beside dist. */
const SOURCES = new URL('../../../../lib/protocol/', import.meta.url);

function diagram(file: string): string[] {
  const text = readFileSync(new URL(file, SOURCES), 'utf8');
  return [...text.matchAll(/^ \* {3}(\w+) +-> (\w+)/gm)].map(
    (match) => `${match[1]} -> ${match[2]}`,
  );
}

test('the diagram of the primary is its table', (t) => {
  t.deepEqual(diagram('primary-states.ts').sort(), arrows(PRIMARY_TRANSITIONS).sort());
});

test('the diagram of the backup is its table', (t) => {
  t.deepEqual(diagram('backup-states.ts').sort(), arrows(BACKUP_TRANSITIONS).sort());
});

test('an arrow that the table lacks is a broken invariant', (t) => {
  t.notThrows(() => assertTransition(PRIMARY_TRANSITIONS, 'solo', 'joining'));
  t.throws(() => assertTransition(PRIMARY_TRANSITIONS, 'solo', 'protected'), {
    instanceOf: AssertionError,
  });
});

test('terminal states have no way out, and every state but the first a way in', (t) => {
  for (const state of ['fenced', 'stopped'] as const) t.deepEqual(PRIMARY_TRANSITIONS[state], []);
  for (const state of ['promoted', 'halted'] as const) t.deepEqual(BACKUP_TRANSITIONS[state], []);
  for (const [table, first] of [
    [PRIMARY_TRANSITIONS, 'starting'],
    [BACKUP_TRANSITIONS, 'dialing'],
  ] as const) {
    const targets = new Set(Object.values(table).flat());
    t.deepEqual(
      Object.keys(table).filter((state) => !targets.has(state as never) && state !== first),
      [],
    );
  }
});
