/**
 * Comparing a machine's state with the log, cheaply: a hash over all words and over the history so
 * far, the words that have changed since the last check, and the hashes of the pages written since
 * the last page check.
 *
 * Record makes a check, replay makes its own at the same point and compares. Both keep the words
 * of the last check, so the log carries only what changed and a difference still has a name.
 *
 * The history is every event of the log before the check. An event that is left out or stands a
 * step too early or late need not leave a trace in the machine; here it does.
 *
 * A page that neither side has written since the last page check is not hashed again: a bit that
 * flips in it shows when the guest's work with it does.
 */

import { present } from '../base/assert.js';
import { ByteWriter } from '../base/bytes.js';
import { Hash64, hash64 } from '../base/hash.js';
import { EventWriter } from '../event/codec.js';
import type { LogEvent, StateHashEvent } from '../event/event.js';
import type { Machine } from '../machine/machine.js';
import { hex, type Difference } from './divergence.js';
import {
  CHECK_INTERVAL_STEPS,
  MARK_CHECK_INTERVAL_STEPS,
  PAGE_CHECK_INTERVAL_STEPS,
} from './limits.js';

type Numbered = readonly (readonly [number: number, value: bigint])[];

/** The part of a state-hash event that describes the state. */
export interface StateDescription {
  readonly hash: bigint;
  readonly words: Numbered;
  readonly pages: Numbered | null;
}

/** What differs, without the place in the log, which the session knows. */
export type StateDifference = Pick<Difference, 'what' | 'expected' | 'actual'>;

/** What a check builds on, as plain data. */
export interface CheckState {
  /** Words at the last check. */
  readonly words: BigUint64Array;
  /** Saved `Hash64` over the events so far. */
  readonly history: Uint8Array;
  /** Steps of all harts at the last check, and at the last one that had pages. */
  readonly checkStep: bigint;
  readonly pageCheckStep: bigint;
}

export class StateCheck {
  private last: BigUint64Array;
  private readonly history: Hash64;
  private checkStep: bigint;
  private pageCheckStep: bigint;

  constructor(state: CheckState) {
    this.last = state.words;
    this.history = Hash64.resume(state.history);
    this.checkStep = state.checkStep;
    this.pageCheckStep = state.pageCheckStep;
  }

  save(): CheckState {
    const { checkStep, pageCheckStep } = this;
    return { words: this.last, history: this.history.save(), checkStep, pageCheckStep };
  }

  /** Whether a check is due at a step of all harts: after output it is sooner. */
  due(step: bigint, spoke: boolean): 'none' | 'words' | 'pages' {
    if (step - this.pageCheckStep >= PAGE_CHECK_INTERVAL_STEPS) return 'pages';
    const interval = spoke ? MARK_CHECK_INTERVAL_STEPS : CHECK_INTERVAL_STEPS;
    return step - this.checkStep >= interval ? 'words' : 'none';
  }

  /** Adds an event to the history, in log order; a check itself after it was made. */
  note(event: LogEvent): void {
    const packed = new ByteWriter(64);
    new EventWriter(packed).write(event);
    this.history.update(packed.finish());
  }

  /** Describes the machine as it stands, and counts changes from here on. */
  describe(machine: Machine, withPages: boolean): StateDescription {
    const words = machine.words();
    const description = {
      hash: hashNumbers(hash64(bytesOf(words)), this.history.digest()),
      words: changedWords(this.last, words),
      pages: withPages ? machine.takeDirtyPages() : null,
    };
    this.last = words;
    this.checkStep = machine.steps();
    if (withPages) this.pageCheckStep = this.checkStep;
    return description;
  }

  /** The first difference between the machine and a description of it from the log, or null. */
  compare(machine: Machine, expected: StateHashEvent): StateDifference | null {
    const before = this.last;
    const actual = this.describe(machine, expected.pages !== null);
    if (actual.hash !== expected.hash || !sameNumbers(expected.words, actual.words)) {
      const word = differentWord(machine, before, expected.words, this.last);
      if (word !== null) return word;
      if (!sameNumbers(expected.words, actual.words)) {
        return {
          what: 'set of changed words',
          expected: numbersOf(expected.words),
          actual: numbersOf(actual.words),
        };
      }
    }
    const page = differentPage(machine, expected.pages ?? [], actual.pages ?? []);
    if (page !== null) return page;
    if (actual.hash === expected.hash) return null;
    return {
      what: 'hash of words and log',
      expected: hex(expected.hash),
      actual: hex(actual.hash),
    };
  }
}

/** Hash over every word and every page that is not as a machine at power-on would have it. */
export function hashWholeState(machine: Machine): bigint {
  const hash = new Hash64();
  hash.update(bytesOf(machine.words()));
  const record = new Uint8Array(16);
  const view = new DataView(record.buffer);
  for (let page = 0; page < machine.pageCount; page++) {
    const bytes = machine.savePage(page);
    if (bytes === null) continue;
    view.setBigUint64(0, BigInt(page), true);
    view.setBigUint64(8, hash64(bytes), true);
    hash.update(record);
  }
  return hash.digest();
}

function hashNumbers(a: bigint, b: bigint): bigint {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, a, true);
  view.setBigUint64(8, b, true);
  return hash64(bytes);
}

/** Words are little-endian in memory on every host that V8's WebAssembly runs on. */
function bytesOf(words: BigUint64Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function changedWords(before: BigUint64Array, now: BigUint64Array): Numbered {
  const changes: [number, bigint][] = [];
  // Halves are compared as numbers: reading a word allocates, and most are as they were.
  const halvesBefore = new Uint32Array(before.buffer, before.byteOffset, before.length * 2);
  const halvesNow = new Uint32Array(now.buffer, now.byteOffset, now.length * 2);
  for (let index = 0; index < now.length; index++) {
    const low = 2 * index;
    const isSame =
      halvesNow[low] === halvesBefore[low] && halvesNow[low + 1] === halvesBefore[low + 1];
    if (!isSame) changes.push([index, present(now[index], 'word')]);
  }
  return changes;
}

/** The lowest word that is not what `before` with `changes` gives. */
function differentWord(
  machine: Machine,
  before: BigUint64Array,
  changes: Numbered,
  now: BigUint64Array,
): StateDifference | null {
  const expected = before.slice();
  for (const [index, value] of changes) {
    if (index >= expected.length) {
      return { what: `word ${index}`, expected: hex(value), actual: 'not there' };
    }
    expected[index] = value;
  }
  for (let index = 0; index < now.length; index++) {
    const want = present(expected[index], 'expected word');
    const have = present(now[index], 'word');
    if (want !== have) {
      return { what: machine.wordName(index), expected: hex(want), actual: hex(have) };
    }
  }
  return null;
}

function differentPage(
  machine: Machine,
  expected: Numbered,
  actual: Numbered,
): StateDifference | null {
  const have = new Map(actual);
  const want = new Map(expected);
  const pages = [...new Set([...want.keys(), ...have.keys()])].sort((a, b) => a - b);
  for (const page of pages) {
    const wanted = want.get(page);
    const had = have.get(page);
    if (wanted === had) continue;
    return {
      what: page < machine.pageCount ? machine.pageName(page) : `page ${page}`,
      expected: wanted === undefined ? 'not written' : `hash ${hex(wanted)}`,
      actual: had === undefined ? 'not written' : `hash ${hex(had)}`,
    };
  }
  return null;
}

function sameNumbers(a: Numbered, b: Numbered): boolean {
  return (
    a.length === b.length &&
    a.every(([number, value], index) => number === b[index]?.[0] && value === b[index]?.[1])
  );
}

function numbersOf(items: Numbered): string {
  return `{${items.map(([number]) => number).join(' ')}}`;
}
