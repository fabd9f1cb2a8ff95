/**
 * Two processes that claim the same generations at the same time: of each, exactly one wins.
 */

import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';

/** Races for the generations 1 to `races` of one machine; `place` is as for --arbiter. */
export async function race(t: ExecutionContext, place: string, races: number): Promise<void> {
  const racers = await Promise.all([racer(t, place, 'a'), racer(t, place, 'b')]);
  const wins = [0, 0];
  for (let generation = 1; generation <= races; generation += 1) {
    const outcomes = await Promise.all(racers.map((child) => ask(child, generation)));
    const won = outcomes.indexOf('won');
    if (won < 0 || outcomes[1 - won] !== 'lost') {
      t.fail(`generation ${generation}: ${outcomes.join(' and ')}`);
      return;
    }
    wins[won] = (wins[won] ?? 0) + 1;
  }
  t.log(`won by the first ${wins[0]} times, by the second ${wins[1]} times`);
  t.is((wins[0] ?? 0) + (wins[1] ?? 0), races);
}

async function racer(t: ExecutionContext, place: string, name: string): Promise<ChildProcess> {
  const script = new URL('./arbiter-racer.js', import.meta.url).pathname;
  const child = fork(script, [place, name]);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

async function ask(child: ChildProcess, generation: number): Promise<string> {
  const answer = once(child, 'message');
  child.send({ machine: 'm', generation: `${generation}` });
  const [message]: { outcome: string }[] = await answer;
  return message?.outcome ?? 'none';
}
