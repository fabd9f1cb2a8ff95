/**
 * How guest code runs. Not part of machine state nor of its digest: whatever is chosen, the same
 * instructions give the same results at the same steps, so that replicas may differ in it.
 */

export interface EngineOptions {
  readonly engine: 'interpreter' | 'compiler';
  /** Times that a jump target is met before the compiler takes it: 1 to 65535. */
  readonly hotAfter: number;
}

export const DEFAULT_ENGINE: EngineOptions = { engine: 'compiler', hotAfter: 12_000 };
