/**
 * Goal: the account of output is exact, and goes on unchanged from its saved form.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { hash64 } from '../../../lib/base/hash.js';
import { OutputStreams } from '../../../lib/session/output-streams.js';
import { ascii } from '../../support/toy-machine.js';

test('each stream has its own offset and digest', (t) => {
  const streams = new OutputStreams([]);
  streams.add({ stream: 'uart', offset: 0n, bytes: ascii('ab') });
  streams.add({ stream: 'virtio-console', offset: 0n, bytes: ascii('x') });
  streams.add({ stream: 'uart', offset: 2n, bytes: ascii('c') });
  t.is(streams.account('uart').offset, 3n);
  t.is(streams.account('uart').hash.digest(), hash64(ascii('abc')));
  t.is(streams.account('virtio-console').offset, 1n);
  t.is(streams.account('power').offset, 0n);
});

test('a stream with output beyond its mark is unmarked', (t) => {
  const streams = new OutputStreams([]);
  t.deepEqual(streams.unmarked(), []);
  streams.add({ stream: 'uart', offset: 0n, bytes: ascii('ab') });
  t.deepEqual(
    streams.unmarked().map(({ stream }) => stream),
    ['uart'],
  );
  streams.account('uart').marked = 2n;
  t.deepEqual(streams.unmarked(), []);
});

test('a saved account goes on as if it had not been saved', (t) => {
  const whole = new OutputStreams([]);
  whole.add({ stream: 'uart', offset: 0n, bytes: ascii('hello, ') });
  const resumed = new OutputStreams(whole.save());
  for (const streams of [whole, resumed]) {
    streams.add({ stream: 'uart', offset: 7n, bytes: ascii('world and everything') });
  }
  t.deepEqual(resumed.save(), whole.save());
});

test('a gap in a stream is a broken invariant', (t) => {
  const streams = new OutputStreams([]);
  t.throws(() => streams.add({ stream: 'uart', offset: 1n, bytes: ascii('a') }), {
    instanceOf: AssertionError,
  });
});
