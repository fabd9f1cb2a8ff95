/**
 * Assertions, on in production. A broken invariant stops the process: a replica that does not
 * trust its own state must not be promoted. Expected failures are not asserted, they are
 * `LockstepError`s.
 */

/** Thrown by `assert` and `unreachable`; nobody catches it but the process's last resort. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/**
 * `message` says what was expected, with the numbers. In hot code a number is given as `detail`,
 * which becomes text only where the assertion fails.
 */
export function assert(
  condition: boolean,
  message: string,
  detail?: number | bigint,
): asserts condition {
  if (condition) return;
  throw new AssertionError(detail === undefined ? message : `${message}: ${detail}`);
}

/** Ends a `switch` over a closed union: the compiler proves that no case is missing. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable value: ${JSON.stringify(value)}`);
}

/** The value, which an invariant says is there. */
export function present<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new AssertionError(`missing: ${what}`);
  return value;
}
