/**
 * Goal: what the machine remembers of outputs, clients and its end is in words, and bounded.
 * Method: the state object over a block of its own, and a second one over the same words.
 */

import test from 'ava';
import { CONSOLE_CLIENTS, MACHINE_SPEC, MachineState } from '../../../lib/machine/machine-state.js';
import { WordBlock, wordCount } from '../../../lib/memory/word-block.js';

function twoViews(): readonly [MachineState, MachineState] {
  const buffer = new SharedArrayBuffer(wordCount(MACHINE_SPEC) * 8);
  const view = (): MachineState => new MachineState(new WordBlock(MACHINE_SPEC, buffer, 0));
  return [view(), view()];
}

test('output offsets count for each stream apart', (t) => {
  const [state, other] = twoViews();
  state.advanceOutput('uart', 5);
  state.advanceOutput('power', 1);
  state.advanceOutput('uart', 2);
  t.deepEqual(
    (['uart', 'virtio-console', 'power'] as const).map((stream) => other.outputOffset(stream)),
    [7n, 0n, 1n],
  );
});

test('a stop keeps its cause and status until it is cleared', (t) => {
  for (const cause of ['power-off', 'reset', 'exit'] as const) {
    const [state, other] = twoViews();
    t.false(state.isStopped);
    t.is(state.stop(), null);
    state.setStop({ cause, status: 70_000 });
    t.true(other.isStopped);
    t.deepEqual(other.stop(), { cause, status: 70_000 });
    other.clearStop();
    t.is(state.stop(), null);
  }
});

test('the highest sequence of a client is remembered, none for client 0', (t) => {
  const [state, other] = twoViews();
  state.noteInput(5n, 1n);
  state.noteInput(6n, 9n);
  state.noteInput(5n, 2n);
  state.noteInput(0n, 77n);
  t.deepEqual(
    [5n, 6n, 7n, 0n].map((client) => other.lastInputSequence(client)),
    [2n, 9n, 0n, 0n],
  );
});

test('when all places are taken, the client longest unheard is forgotten', (t) => {
  const [state] = twoViews();
  for (let client = 1; client <= CONSOLE_CLIENTS; client++) state.noteInput(BigInt(client), 5n);
  state.noteInput(1n, 6n);
  state.noteInput(1000n, 1n);
  t.is(state.lastInputSequence(1n), 6n);
  t.is(state.lastInputSequence(2n), 0n);
  t.is(state.lastInputSequence(3n), 5n);
  t.is(state.lastInputSequence(1000n), 1n);
});

test('the step of bounded work is a word', (t) => {
  const [state, other] = twoViews();
  state.resumedAt = 12_345n;
  t.is(other.resumedAt, 12_345n);
});
