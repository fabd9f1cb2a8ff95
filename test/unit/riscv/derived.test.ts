/**
 * Goal: derived state (TLBs, decoded and compiled code) can't be seen: dropping it at any moment,
 * or never having had it, changes no result.
 * Method: the awkward program runs on while its state is moved to fresh machines, or restored into
 * itself, at random steps.
 */

import test from 'ava';
import { planLayout } from '../../../lib/memory/layout.js';
import { hartDerivedRegions } from '../../../lib/riscv/derived.js';
import { advance, loadMixed } from '../../support/program-mixed.js';
import { COMPILER, Guest, INTERPRETER } from '../../support/program.js';
import { Random } from '../../support/random.js';

const END = 8000n;

test('dropping everything derived at random steps changes nothing, in both engines', (t) => {
  const straight = new Guest(INTERPRETER);
  advance(loadMixed(straight), END);
  const expected = straight.fingerprint();
  const random = new Random(11);
  for (const options of [INTERPRETER, COMPILER]) {
    const guest = new Guest(options);
    for (let round = 0; round < 3; round++) {
      loadMixed(guest);
      for (let at = 0n; at < END;) {
        at += BigInt(1 + random.below(400));
        advance(guest, at < END ? at : END);
        guest.change({});
      }
      t.is(guest.fingerprint(), expected);
    }
  }
});

test('engines may take turns on one state', (t) => {
  const straight = new Guest(INTERPRETER);
  advance(loadMixed(straight), END);
  let [running, waiting] = [new Guest(COMPILER), new Guest(INTERPRETER)];
  loadMixed(running);
  for (let at = 500n; at <= END; at += 500n) {
    advance(running, at);
    waiting.copyFrom(running);
    [running, waiting] = [waiting, running];
  }
  t.is(running.fingerprint(), straight.fingerprint());
});

test('derived regions are apart from each other and from the words', (t) => {
  const regions = [0, 1].flatMap((hart) => hartDerivedRegions(hart, 16));
  const layout = planLayout({ ramBytes: 65_536, blocks: [], derived: regions });
  const places = regions.map(({ name, bytes }) => [layout.offsetOf(name), bytes] as const);
  for (const [index, [start, bytes]] of places.entries()) {
    t.true(start + bytes <= (places[index + 1]?.[0] ?? layout.ramOffset));
    t.is(start % 64, 0);
  }
});
