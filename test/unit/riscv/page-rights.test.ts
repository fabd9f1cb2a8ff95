/**
 * Goal: a right is granted from the flags, else taken through the port, and peeking takes nothing.
 * Method: flags set by hand and a port that notes what it is asked.
 */

import test from 'ava';
import { PAGE_READABLE, PAGE_WRITABLE } from '../../../lib/riscv/hart-memory.js';
import { PageRights, type PageMode } from '../../../lib/riscv/page-rights.js';
import { hartParts } from '../../support/program-parts.js';

function rights(): { readonly asked: [number, PageMode][]; readonly subject: PageRights } {
  const asked: [number, PageMode][] = [];
  const acquire = (_hart: number, page: number, mode: PageMode): void => {
    asked.push([page, mode]);
  };
  return { asked, subject: new PageRights(hartParts().memory, { acquire }) };
}

test('a right is asked for once, and the right to write is one to read', (t) => {
  const { asked, subject } = rights();
  t.true(subject.read(3));
  t.true(subject.read(3));
  subject.write(3);
  subject.write(4);
  t.true(subject.read(4));
  t.deepEqual(asked, [
    [3, 'read'],
    [3, 'write'],
    [4, 'write'],
  ]);
});

test('a page that was taken away is asked for again', (t) => {
  const { memory } = hartParts();
  let count = 0;
  const subject = new PageRights(memory, { acquire: () => count++ });
  subject.write(5);
  memory.removeFlags(5, PAGE_READABLE | PAGE_WRITABLE);
  subject.read(5);
  t.is(count, 2);
});

test('peeking takes no page from anybody, and asking goes on after it', (t) => {
  const { asked, subject } = rights();
  subject.read(1);
  t.deepEqual(
    subject.peek(() => [subject.read(1), subject.read(2)]),
    [true, false],
  );
  t.throws(() =>
    subject.peek(() => {
      throw new Error('within');
    }),
  );
  t.true(subject.read(2));
  t.deepEqual(asked.length, 2);
});

test('the only hart of a machine owns everything', (t) => {
  const subject = new PageRights(hartParts().memory, null);
  t.false(subject.isShared);
  t.true(subject.peek(() => subject.read(7)));
});
