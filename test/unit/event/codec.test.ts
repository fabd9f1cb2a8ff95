/**
 * Goal: what is written is read back equal, and what is damaged is refused, never misread and
 * never a crash. Method: seeded samples of every kind; mutations of their bytes.
 */

import test from 'ava';
import { AssertionError } from '../../../lib/base/assert.js';
import { DecodeError } from '../../../lib/base/bytes.js';
import {
  decodeEvents,
  encodedBytesBound,
  encodeEvents,
  EVENT_KINDS,
} from '../../../lib/event/codec.js';
import type { LogEvent } from '../../../lib/event/event.js';
import {
  MAX_BATCH_BYTES,
  MAX_CONSOLE_INPUT_BYTES,
  MAX_HASHED_PAGES,
  MAX_STATE_WORDS,
} from '../../../lib/event/limits.js';
import { EventSample, Random } from './sample.js';

function roundTrip(events: readonly LogEvent[]): LogEvent[] {
  return decodeEvents(encodeEvents(events), events.length);
}

for (const kind of EVENT_KINDS) {
  test(`events of kind ${kind} are read back equal (500 samples)`, (t) => {
    for (let seed = 0; seed < 500; seed++) {
      const event = new EventSample(new Random(seed)).event(kind, BigInt(seed));
      t.deepEqual(roundTrip([event]), [event]);
      t.true(encodeEvents([event]).length <= encodedBytesBound(event));
    }
  });
}

test('mixed batches are read back equal, steps and harts included (300 samples)', (t) => {
  for (let seed = 0; seed < 300; seed++) {
    const random = new Random(seed);
    const sample = new EventSample(random, 1 + random.below(8));
    const events = Array.from({ length: random.below(40) }, () => sample.event());
    t.deepEqual(roundTrip(events), events);
  }
});

test('extreme values are read back equal', (t) => {
  const max = 2n ** 64n - 1n;
  const events: LogEvent[] = [
    { kind: 'epoch', epoch: max },
    { kind: 'rebase', hart: 63, step: max, rate: max },
    { kind: 'wake', hart: 63, step: max, time: 0n },
    {
      kind: 'state-hash',
      hart: 0,
      step: 0n,
      hash: max,
      words: [
        [0, 0n],
        [1, max],
        [2, 1n << 63n],
        [MAX_STATE_WORDS - 1, 0xffff_ffff_8000_0000n],
      ],
      pages: [],
    },
  ];
  t.deepEqual(roundTrip(events), events);
});

test('the largest state hash allowed is read back equal', (t) => {
  const event: LogEvent = {
    kind: 'state-hash',
    hart: 0,
    step: 1n,
    hash: 0n,
    words: Array.from({ length: MAX_STATE_WORDS }, (_, index) => [index, 1n << 63n] as const),
    pages: Array.from({ length: MAX_HASHED_PAGES }, (_, page) => [page * 3, 7n] as const),
  };
  const bytes = encodeEvents([event]);
  t.true(bytes.length < MAX_BATCH_BYTES);
  t.true(Buffer.from(encodeEvents(decodeEvents(bytes, 1))).equals(bytes));
});

test('a kernel address in a word costs five bytes', (t) => {
  const words = (value: bigint): LogEvent => ({
    kind: 'state-hash',
    hart: 0,
    step: 0n,
    hash: 0n,
    words: [[0, value]],
    pages: null,
  });
  const zero = encodeEvents([words(0n)]).length;
  t.is(encodeEvents([words(0xffff_ffff_80ab_cdefn)]).length, zero + 4);
});

test('a step that goes back is an assertion of the writer (event, horizon)', (t) => {
  const at = (step: bigint): LogEvent => ({ kind: 'interrupt', hart: 0, step, cause: 5 });
  t.throws(() => encodeEvents([at(5n), at(4n)]), { instanceOf: AssertionError });
  t.throws(() => encodeEvents([at(5n), { kind: 'horizon', steps: [4n] }]), {
    instanceOf: AssertionError,
  });
  t.throws(() => encodeEvents([{ kind: 'horizon', steps: [4n] }, at(3n)]), {
    instanceOf: AssertionError,
  });
});

test('steps that wrap around 64 bits are refused', (t) => {
  const first = encodeEvents([{ kind: 'wake', hart: 0, step: 2n ** 64n - 1n, time: 0n }]);
  const second = encodeEvents([{ kind: 'wake', hart: 0, step: 1n, time: 0n }]);
  const both = new Uint8Array([...first, ...second]);
  t.throws(() => decodeEvents(both, 2), { instanceOf: DecodeError, message: /2\^64/ });
});

test('unknown kinds, streams and actions are refused', (t) => {
  t.throws(() => decodeEvents(new Uint8Array([EVENT_KINDS.length, 0]), 1), {
    instanceOf: DecodeError,
    message: /unknown event kind/,
  });
  const control = encodeEvents([{ kind: 'control', hart: 0, step: 0n, action: 'reset' }]);
  control[control.length - 1] = 9;
  t.throws(() => decodeEvents(control, 1), { message: /unknown control action 9/ });
});

test('input over its limit is refused before it is read', (t) => {
  const bytes = new Uint8Array(MAX_CONSOLE_INPUT_BYTES + 1);
  const event: LogEvent = {
    kind: 'console-input',
    hart: 0,
    step: 0n,
    stream: 'uart',
    client: 0n,
    sequence: 0n,
    bytes,
  };
  t.throws(() => encodeEvents([event]), { instanceOf: AssertionError });
  // The same by hand: kind, hart, step, stream, client, sequence, length 4097.
  const forged = new Uint8Array([1, 0, 0, 0, 0, 0, 0x81, 0x20, ...bytes]);
  t.throws(() => decodeEvents(forged, 1), { instanceOf: DecodeError, message: /over the limit/ });
});

test('bytes after the last event are refused, and so is a count that cannot fit', (t) => {
  const bytes = encodeEvents([{ kind: 'epoch', epoch: 3n }]);
  t.throws(() => decodeEvents(new Uint8Array([...bytes, 0]), 1), { message: /after the last/ });
  t.throws(() => decodeEvents(bytes, 2), { instanceOf: DecodeError });
  t.throws(() => decodeEvents(bytes, 0xffff_ffff), { message: /cannot fit/ });
});

test('every proper beginning of a batch is refused', (t) => {
  const sample = new EventSample(new Random(7));
  const events = Array.from({ length: 30 }, () => sample.event());
  const bytes = encodeEvents(events);
  for (let length = 0; length < bytes.length; length++) {
    t.throws(() => decodeEvents(bytes.subarray(0, length), events.length), {
      instanceOf: DecodeError,
    });
  }
});

test('mutated bytes decode or throw DecodeError, in bounded time (20,000 mutations)', (t) => {
  const started = performance.now();
  let refused = 0;
  for (let seed = 0; seed < 200; seed++) {
    const random = new Random(seed);
    const sample = new EventSample(random);
    const events = Array.from({ length: 1 + random.below(8) }, () => sample.event());
    const bytes = encodeEvents(events);
    for (let round = 0; round < 100; round++) {
      if (!decodes(mutate(bytes, random), events.length)) refused += 1;
    }
  }
  t.true(refused > 1000, `${refused} refused`);
  t.true(performance.now() - started < 60_000);
});

/** False if refused; any error but `DecodeError` passes through and fails the test. */
function decodes(bytes: Uint8Array, count: number): boolean {
  try {
    decodeEvents(bytes, count);
    return true;
  } catch (error) {
    if (error instanceof DecodeError) return false;
    throw error;
  }
}

function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const mutated = Array.from(bytes);
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const at = random.below(mutated.length + 1);
    switch (random.below(5)) {
      case 0:
        mutated[at] = (mutated[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 1:
        mutated[at] = random.pick([0, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        mutated.splice(at, random.below(5));
        break;
      case 3:
        mutated.splice(at, 0, ...random.bytes(5));
        break;
      default:
        mutated.length = at;
    }
  }
  return Uint8Array.from(mutated);
}
