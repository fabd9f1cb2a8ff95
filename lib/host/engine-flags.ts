/**
 * Flags of V8 that make generated code faster. None has an effect on what a guest computes, and
 * every version of Node.js runs without them.
 */

import { setFlagsFromString } from 'node:v8';

/** Cold ways out of hot code are laid out of the way. */
const BRANCH_HINTS = '--experimental-wasm-branch-hinting';
/** A fused multiply-add in one step, where the host has it; without a flag from V8 11.4 on. */
const RELAXED_SIMD = '--experimental-wasm-relaxed-simd';

/**
 * Every loop of generated code is bounded by its budget of steps, and it calls no function that
 * calls it: it needs no look at the stack each time around.
 */
const NO_STACK_CHECKS = '--no-wasm-stack-checks';

/**
 * Bytes that a function executes, as V8 estimates them, before it is optimised: fifty times its
 * default. A call counts as the whole function, so that a region of some ten kilobytes is optimised
 * after some ten thousand calls. Many regions of a boot run often for a while and then no more, and
 * optimising all of them takes processor time from the harts.
 */
const TIERING_BUDGET = '--wasm-tiering-budget=100000000';

/** V8 reads them when a module is compiled, in any thread: called before workers are started. */
export function setEngineFlags(): void {
  setFlagsFromString(BRANCH_HINTS);
  setFlagsFromString(NO_STACK_CHECKS);
  setFlagsFromString(TIERING_BUDGET);
  const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
  if (major < 11 || (major === 11 && minor < 4)) setFlagsFromString(RELAXED_SIMD);
}
