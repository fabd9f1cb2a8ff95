/**
 * How long a replica is waited for that has the whole log and has not come to its end: as long as
 * it moves. On a busy host it may be many seconds behind, and its disk lacks what it did not
 * replay.
 */

/** A replica that stands still for so long does not know how the machine ended. */
const STILL_MS = 2_000;

/** Calls `stands` once what `position` tells has not changed for `stillMs`. */
export function whenItStands(
  position: () => string,
  stands: () => void,
  stillMs: number = STILL_MS,
): void {
  const look = (before: string): void => {
    setTimeout(() => {
      const now = position();
      if (now === before) stands();
      else look(now);
    }, stillMs);
  };
  look(position());
}
