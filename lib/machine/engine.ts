/**
 * How guest code runs. Not part of machine state nor of its digest: whatever is chosen, the same
 * instructions give the same results at the same steps, so that replicas may differ in it.
 */

export interface EngineOptions {
  readonly engine: 'interpreter' | 'compiler';
  /** Times that a jump target is met before the compiler takes it: 1 to 65535. */
  readonly hotAfter: number;
  /**
   * Samples of the guest's place that fall into a region before it is compiled thoroughly; 0 has
   * that done at once.
   */
  readonly thoroughAfter?: number;
  /**
   * False leaves the count of steps out of compiled code: only to measure what counting costs. Such
   * a machine stops at no given step, takes no interrupt in a loop, and replays nothing.
   */
  readonly counting?: boolean;
}

export const DEFAULT_ENGINE: EngineOptions = { engine: 'compiler', hotAfter: 20_000 };
