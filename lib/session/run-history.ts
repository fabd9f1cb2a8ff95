/**
 * The order of what happened while harts ran in parallel: steals as they were, and between them the
 * interrupts of each hart, hart by hart. At a steal every hart stands, so each interrupt is clearly
 * before or after it.
 */

import type { InterruptEvent, LogEvent, Point, StealEvent } from '../event/event.js';
import type { TakenInterrupt } from '../machine/machine.js';

/** `interrupts` are in order for each hart. */
export function historyOfRun(
  steals: readonly StealEvent[],
  interrupts: readonly TakenInterrupt[],
): readonly LogEvent[] {
  const history: LogEvent[] = [];
  let waiting = interrupts;
  for (const steal of steals) {
    const stands = stepsAt(steal);
    const isBefore = ({ hart, step }: Point): boolean => step < (stands.get(hart) ?? 0n);
    history.push(...waiting.filter(isBefore).map(interruptEvent), steal);
    waiting = waiting.filter((interrupt) => !isBefore(interrupt));
  }
  history.push(...waiting.map(interruptEvent));
  return history;
}

/** Where each hart stands at a steal. */
export function stepsAt({ hart, step, victims }: StealEvent): ReadonlyMap<number, bigint> {
  return new Map([[hart, step], ...victims.map((victim) => [victim.hart, victim.step] as const)]);
}

const interruptEvent = ({ hart, step, cause }: TakenInterrupt): InterruptEvent => ({
  kind: 'interrupt',
  hart,
  step,
  cause,
});
