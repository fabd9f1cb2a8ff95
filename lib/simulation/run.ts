/**
 * Running seeds: the simulator's front door, for the command, the tests and the planted bugs.
 */

import { BACKUP_POLICY } from '../protocol/backup-policy.js';
import { PRIMARY_POLICY } from '../protocol/primary-policy.js';
import { configure } from './configuration.js';
import type { Configuration } from './configuration.js';
import { WORLD_RULES } from './surroundings.js';
import type { Rules } from './surroundings.js';
import { World } from './world.js';
import type { Result } from './world.js';

/** The rules of production. */
export const TRUE_RULES: Rules = {
  primary: PRIMARY_POLICY,
  backup: BACKUP_POLICY,
  world: WORLD_RULES,
};

export interface RunOptions {
  readonly rules?: Rules;
  /** Replaces parts of what the seed means. */
  readonly override?: Partial<Configuration>;
  /** Gets the trace, a line at a time. */
  readonly print?: (line: string) => void;
}

/** Runs one seed; equal seeds and rules give equal results. */
export function runSeed(seed: number, options: RunOptions = {}): Result {
  const configuration = { ...configure(seed), ...options.override };
  const rules = options.rules ?? TRUE_RULES;
  const world = new World(configuration, rules, options.print ?? null);
  try {
    return world.run();
  } catch (error) {
    // An assertion of a core is a finding like any other; its seed repeats it.
    world.violation(error instanceof Error ? `${error.name}: ${error.message}` : String(error));
    return world.result();
  }
}
