/**
 * Goal: a line of the journal says when, who and what, whatever is noted.
 */

import test from 'ava';
import { Journal, type JournalEntry } from '../../../lib/node/journal.js';

function line(entry: JournalEntry, json: boolean): string {
  let written = '';
  const journal = new Journal({ write: (text) => (written += text) }, json);
  journal.role = 'primary';
  journal.epoch = 3n;
  journal.note(entry);
  return written;
}

test('a field replaces no column of its line', (t) => {
  const fields = { seconds: 'a', role: 'b', epoch: 'c', event: 'd', more: 7n };
  const parsed: unknown = JSON.parse(line({ event: 'copied', fields }, true));
  t.like(parsed, { role: 'primary', epoch: '3', event: 'copied', more: '7' });
  t.regex(line({ event: 'copied', fields }, true), /"seconds":\d/);
});

test('what a guest or a peer says can make no line of its own', (t) => {
  for (const json of [false, true]) {
    const written = line({ event: 'said', detail: 'a\n  0.0  primary \u001b[2J' }, json);
    t.is(written.split('\n').length, 2);
    t.false(written.includes('\u001b'));
  }
});
