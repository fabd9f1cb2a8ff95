/**
 * Goal: a guest can never cause an exception of the host, and what it does is the same in every
 * engine, however the run is cut.
 * Method: random programs in M, S and U mode with partly wrong page tables and devices within
 * reach, a million steps in all; the seeds are fixed, so that a failure repeats.
 */

import test from 'ava';
import { disturb, loadRandom, runRandom } from '../support/program-fuzz.js';
import { COMPILER, Guest, INTERPRETER, THOROUGH } from '../support/program.js';
import { Random } from '../support/random.js';

const PROGRAMS = 120;
const STEPS = 3000n;
const EVENT_STEPS = 500n;

const interpreted = new Guest(INTERPRETER);
const compiled = new Guest(COMPILER);
const thorough = new Guest(THOROUGH);
const cut = new Guest(INTERPRETER);

/** First words that differ, by name. */
function difference(a: Guest, b: Guest): string[] {
  const other = b.machine.words();
  return [...a.machine.words()]
    .flatMap((word, index) =>
      word === other[index] ? [] : [`${a.machine.wordName(index)} ${word} ${other[index]}`],
    )
    .slice(0, 5);
}

/** Runs program `seed` with its disturbances, cut at most every `longest` steps. */
function runDisturbed(guest: Guest, seed: number, longest: number): Guest {
  loadRandom(guest, seed);
  const events = new Random(seed);
  const cuts = new Random(seed + 1);
  for (let next = EVENT_STEPS; next <= STEPS; next += EVENT_STEPS) {
    for (let at = guest.step; at < next;) {
      at += BigInt(1 + cuts.below(longest));
      if (runRandom(guest, at < next ? at : next) === 'stopped') return guest;
    }
    disturb(guest, events);
  }
  return guest;
}

test('random programs never throw, and leave the same state in every engine', (t) => {
  let traps = 0n;
  let steps = 0n;
  for (let seed = 0; seed < PROGRAMS; seed++) {
    const expected = runDisturbed(interpreted, seed, 1_000_000).fingerprint();
    traps += interpreted.get('traps');
    for (const guest of [compiled, thorough, cut]) {
      runDisturbed(guest, seed, guest === cut ? 60 : 700);
      if (guest.fingerprint() !== expected) {
        t.fail(`seed ${seed}: ${difference(interpreted, guest).join(', ')}`);
      }
      steps += guest.step;
    }
    steps += interpreted.step;
  }
  t.log(`${steps} steps, ${traps} traps`);
  t.true(steps > 1_000_000n);
});

test('a long run of a random program survives being moved between machines', (t) => {
  for (let seed = 5000; seed < 5010; seed++) {
    runRandom(loadRandom(interpreted, seed), 20_000n);
    let [running, waiting] = [compiled, cut];
    loadRandom(running, seed);
    for (let at = 4000n; at <= 20_000n; at += 4000n) {
      if (runRandom(running, at) === 'stopped') break;
      waiting.copyFrom(running);
      [running, waiting] = [waiting, running];
    }
    t.is(running.fingerprint(), interpreted.fingerprint(), `seed ${seed}`);
  }
});
