/**
 * What clients did and saw, and whether one copy of the data, changed one step at a time, explains
 * it.
 *
 * Appends of unique values to a list show what is lost, doubled or reordered. Registers with unique
 * values show stale reads: the test by zones (Gibbons and Korach, 1997) decides linearizability in
 * the time of a sort.
 *
 * What was asked on a connection that ended before the answer came may have happened or not, once,
 * at any time from its sending on.
 */

export interface Append {
  readonly value: string;
  readonly sentMs: number;
  /** Infinity where no answer came. */
  readonly answeredMs: number;
  /** The length of the list that the server answered with; null where no answer came. */
  readonly length: number | null;
}

interface Placed {
  readonly value: string;
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly place: number;
}

/** The first thing that one list does not explain, or null. `list` is read after everything. */
export function checkAppends(appends: readonly Append[], list: readonly string[]): string | null {
  const places = new Map<string, number>();
  for (const [place, value] of list.entries()) {
    const before = places.get(value);
    if (before !== undefined) return `${value} stands at ${before} and at ${place}`;
    places.set(value, place);
  }
  const placed: Placed[] = [];
  for (const { value, sentMs, answeredMs, length } of appends) {
    const place = places.get(value);
    if (length !== null && place === undefined) return `${value} was acknowledged and is lost`;
    if (length !== null && place !== length - 1) {
      return `${value} stands at ${place}, acknowledged at ${length - 1}`;
    }
    if (place !== undefined) placed.push({ value, sentMs, answeredMs, place });
  }
  if (list.length !== placed.length) {
    return `${list.length} values stand where ${placed.length} were appended`;
  }
  return checkOrder(placed);
}

/** What was acknowledged before another was sent stands before it. */
function checkOrder(appends: readonly Placed[]): string | null {
  const bySent = [...appends].sort((a, b) => a.sentMs - b.sentMs);
  const byAnswer = [...appends].sort((a, b) => a.answeredMs - b.answeredMs);
  let answered = 0;
  let furthest: Placed | null = null;
  for (const append of bySent) {
    for (let one = byAnswer[answered]; one !== undefined; one = byAnswer[answered]) {
      if (one.answeredMs >= append.sentMs) break;
      if (furthest === null || one.place > furthest.place) furthest = one;
      answered += 1;
    }
    if (furthest !== null && append.place < furthest.place) {
      return `${append.value} stands before ${furthest.value}, which was acknowledged first`;
    }
  }
  return null;
}

export interface RegisterUse {
  readonly kind: 'write' | 'read';
  /** Unique among the writes; null reads a register that nobody has written. */
  readonly value: string | null;
  readonly sentMs: number;
  /** Infinity for a write that no answer came to. */
  readonly answeredMs: number;
}

interface Zone {
  readonly value: string | null;
  /** The earliest answer and the latest sending among the uses of a value. */
  answeredMs: number;
  sentMs: number;
}

/** The first thing that one register does not explain, or null. */
export function checkRegister(all: readonly RegisterUse[]): string | null {
  // A write without an answer that nobody read explains nothing, and needs no explanation.
  const read = new Set(all.filter(({ kind }) => kind === 'read').map(({ value }) => value));
  const uses = all.filter(({ answeredMs, value }) => answeredMs < Infinity || read.has(value));
  const writes = new Map<string | null, RegisterUse>([
    [null, { kind: 'write', value: null, sentMs: -Infinity, answeredMs: -Infinity }],
  ]);
  for (const use of uses) {
    if (use.kind !== 'write') continue;
    if (writes.has(use.value)) return `${use.value} was written twice by this test`;
    writes.set(use.value, use);
  }
  const zones = new Map<string | null, Zone>();
  for (const use of [...writes.values(), ...uses]) {
    const write = writes.get(use.value);
    if (write === undefined) return `${use.value} was read and never written`;
    if (use.answeredMs < write.sentMs) return `${use.value} was read before it was written`;
    const zone = zones.get(use.value);
    if (zone === undefined) {
      zones.set(use.value, { value: use.value, answeredMs: use.answeredMs, sentMs: use.sentMs });
      continue;
    }
    zone.answeredMs = Math.min(zone.answeredMs, use.answeredMs);
    zone.sentMs = Math.max(zone.sentMs, use.sentMs);
  }
  return checkZones([...zones.values()]);
}

/** No two forward zones overlap, and no backward zone lies within a forward one. */
function checkZones(zones: readonly Zone[]): string | null {
  const forward = zones
    .filter(({ answeredMs, sentMs }) => answeredMs < sentMs)
    .sort((a, b) => a.answeredMs - b.answeredMs);
  let last: Zone | null = null;
  for (const zone of forward) {
    if (last !== null && zone.answeredMs < last.sentMs) {
      return `${last.value} was seen after ${zone.value}, and before it`;
    }
    last = zone;
  }
  for (const { value, answeredMs, sentMs } of zones) {
    if (answeredMs < sentMs) continue;
    const around = forward.find((zone) => zone.answeredMs < sentMs && answeredMs < zone.sentMs);
    if (around !== undefined) return `${value} lies within the time of ${around.value}`;
  }
  return null;
}
