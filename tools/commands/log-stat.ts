/**
 * `lockstep log stat`: what a log is made of, and what it costs.
 */

import { ByteWriter } from '../../lib/base/bytes.js';
import { BATCH_OVERHEAD_BYTES, type Batch } from '../../lib/event/batch.js';
import { EVENT_KINDS, EventWriter } from '../../lib/event/codec.js';
import type { EventKind, LogEvent } from '../../lib/event/event.js';
import type { LogMeta } from '../../lib/host/log-store/meta.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { TIMEBASE_HZ } from '../../lib/machine/config.js';
import { SharingCount, type Sharing } from '../../lib/node/sharing-count.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine } from '../output.js';

export const logStat: Command = {
  usage: ['log stat DIR|FILE [--json]'],
  description:
    'Counts the entries and bytes of a log by kind, and tells the steps of each hart, the epochs ' +
    'and the torn bytes. Where the log starts at power-on, the virtual duration of the first hart ' +
    'and the rate of the log over it are told too: virtual time is a function of steps, re-bases ' +
    'and wakes, all of which are in the log. Where harts run in parallel, what they took from ' +
    'each other is told too.',
  options: {
    json: { type: 'boolean', help: 'print one JSON object' },
  },
  positionals: { min: 1, max: 1 },
  run: stat,
};

function stat(args: Arguments): Promise<number> {
  const [path = ''] = args.positionals;
  const statistics = measure(LogReader.open(path));
  const answer = args.flag('json')
    ? `${toJsonLine({ path, ...statistics })}\n`
    : describe(path, statistics);
  process.stdout.write(answer);
  return Promise.resolve(0);
}

interface KindStatistics {
  count: number;
  bytes: number;
}

interface Statistics {
  readonly machineDigest: string | null;
  readonly batches: number;
  readonly entries: number;
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
  /** Headers and end marks of batches. */
  readonly overheadBytes: number;
  /** What compressing the entries of batches has saved. */
  readonly savedBytes: number;
  /** Batches with their overhead, as they are stored, without the headers of segments. */
  readonly totalBytes: number;
  readonly tornBytes: number;
  readonly epochs: readonly bigint[];
  readonly kinds: Readonly<Record<string, KindStatistics>>;
  /** Highest step that the log names, by hart. */
  readonly steps: readonly bigint[];
  /** Null where the log does not start at power-on. */
  readonly virtualSeconds: number | null;
  readonly bitsPerVirtualSecond: number | null;
  /** Bits for a million steps of all harts together. */
  readonly bitsPerMillionSteps: number | null;
  /** Null where harts take turns, or where the log does not say. */
  readonly sharing: Sharing | null;
}

function measure(reader: LogReader): Statistics {
  const kinds = new Map<EventKind, KindStatistics>();
  const epochs = new Set<bigint>();
  const clock = new VirtualClock(reader.meta);
  const config = reader.meta?.config;
  const sharing = config?.schedule === 'parallel' ? new SharingCount(config.memoryBytes) : null;
  const totals = { batches: 0, entries: 0, payloadBytes: 0, firstSeq: 0n };
  const iterator = reader.batches();
  let step = iterator.next();
  for (; step.done !== true; step = iterator.next()) {
    const { batch, bytes } = step.value;
    if (totals.batches === 0) totals.firstSeq = batch.firstSeq;
    totals.batches += 1;
    totals.entries += batch.entries.length;
    totals.payloadBytes += bytes.length - BATCH_OVERHEAD_BYTES;
    epochs.add(batch.epoch);
    countKinds(batch, kinds);
    for (const { event } of batch.entries) {
      clock.take(event);
      sharing?.take(event);
    }
  }
  const { nextSeq, tornBytes } = step.value;
  const overheadBytes = totals.batches * BATCH_OVERHEAD_BYTES;
  const totalBytes = totals.payloadBytes + overheadBytes;
  const virtualSeconds = clock.seconds();
  const allSteps = Number(clock.steps.reduce((sum, steps) => sum + steps, 0n));
  return {
    machineDigest: reader.meta?.machineDigest ?? null,
    batches: totals.batches,
    entries: totals.entries,
    firstSeq: totals.firstSeq,
    lastSeq: totals.batches === 0 ? 0n : nextSeq - 1n,
    overheadBytes,
    totalBytes,
    savedBytes: sumOfKinds(kinds) - totals.payloadBytes,
    tornBytes,
    epochs: [...epochs],
    kinds: Object.fromEntries(kinds),
    steps: clock.steps,
    virtualSeconds,
    bitsPerVirtualSecond: rate(totalBytes, virtualSeconds ?? 0),
    bitsPerMillionSteps: rate(totalBytes, allSteps / 1e6),
    sharing: sharing?.result() ?? null,
  };
}

function sumOfKinds(kinds: ReadonlyMap<EventKind, KindStatistics>): number {
  return [...kinds.values()].reduce((sum, { bytes }) => sum + bytes, 0);
}

function rate(bytes: number, per: number): number | null {
  return per > 0 ? (bytes * 8) / per : null;
}

/** Adds the entries of a batch by kind; their sizes are found by encoding them again. */
function countKinds(batch: Batch, kinds: Map<EventKind, KindStatistics>): void {
  const out = new ByteWriter();
  const writer = new EventWriter(out);
  for (const { event } of batch.entries) {
    const before = out.length;
    writer.write(event);
    const kind = kinds.get(event.kind) ?? { count: 0, bytes: 0 };
    kind.count += 1;
    kind.bytes += out.length - before;
    kinds.set(event.kind, kind);
  }
}

/** Steps of all harts, and the virtual time of hart 0 as the log's events determine it. */
class VirtualClock {
  readonly steps: bigint[] = [];
  private readonly isKnown: boolean;
  private rate: bigint;
  /** Ticks in 32.32 fixed point when hart 0 stood at `baseStep`. */
  private baseTime = 0n;
  private baseStep = 0n;

  constructor(meta: LogMeta | null) {
    this.isKnown = meta !== null && meta.start.firstSeq === 1n;
    this.rate = meta?.config.initialRate ?? 0n;
  }

  take(event: LogEvent): void {
    if (event.kind === 'horizon') {
      event.steps.forEach((step, hart) => this.reach(hart, step));
    } else if (event.kind !== 'epoch') {
      this.reach(event.hart, event.step);
      if (event.hart !== 0) return;
      if (event.kind === 'rebase') this.base(event.step, this.timeAt(event.step), event.rate);
      if (event.kind === 'wake') this.base(event.step, event.time << 32n, this.rate);
    }
  }

  private reach(hart: number, step: bigint): void {
    while (this.steps.length <= hart) this.steps.push(0n);
    if (step > (this.steps[hart] ?? 0n)) this.steps[hart] = step;
  }

  private timeAt(step: bigint): bigint {
    return this.baseTime + (step - this.baseStep) * this.rate;
  }

  private base(step: bigint, time: bigint, newRate: bigint): void {
    this.baseStep = step;
    this.baseTime = time;
    this.rate = newRate;
  }

  seconds(): number | null {
    if (!this.isKnown) return null;
    return Number(this.timeAt(this.steps[0] ?? 0n) >> 32n) / TIMEBASE_HZ;
  }
}

function describe(path: string, statistics: Statistics): string {
  const { kinds, entries, batches, firstSeq, lastSeq, totalBytes, overheadBytes } = statistics;
  const lines = [
    `${path}: ${entries} entries (${firstSeq}..${lastSeq}) in ${batches} batches, ${totalBytes} bytes`,
    `machine   ${statistics.machineDigest ?? 'not told by a single segment'}`,
    `epochs    ${statistics.epochs.length === 0 ? 'none' : statistics.epochs.join(', ')}`,
    `torn      ${statistics.tornBytes} bytes`,
  ];
  statistics.steps.forEach((steps, hart) => lines.push(`hart ${hart}    ${steps} steps`));
  lines.push(`duration  ${measured(statistics.virtualSeconds, 'virtual seconds')}`);
  lines.push(`rate      ${measured(statistics.bitsPerVirtualSecond, 'bit/s of virtual time')}`);
  lines.push(`          ${measured(statistics.bitsPerMillionSteps, 'bits per million steps')}`);
  if (statistics.sharing !== null) lines.push(...describeSharing(statistics.sharing));
  lines.push('', 'kind                count        bytes');
  const row = (name: string, count: number, bytes: number): void => {
    lines.push(`${name.padEnd(15)}${String(count).padStart(10)}${String(bytes).padStart(13)}`);
  };
  for (const kind of EVENT_KINDS) {
    const found = kinds[kind];
    if (found !== undefined) row(kind, found.count, found.bytes);
  }
  row('(batches)', batches, overheadBytes);
  if (statistics.savedBytes > 0)
    lines.push(`(compressed)${`-${statistics.savedBytes}`.padStart(26)}`);
  return lines.join('\n') + '\n';
}

function measured(value: number | null, unit: string): string {
  return value === null ? `unknown ${unit}` : `${value.toFixed(3)} ${unit}`;
}

function describeSharing(sharing: Sharing): readonly string[] {
  const { stepsTogether, stepsAlone, steals, hottestPages } = sharing;
  const share = (100 * stepsTogether) / Math.max(1, stepsTogether + stepsAlone);
  return [
    `together  ${share.toFixed(1)} % of steps, in runs in which several harts moved`,
    `steals    ${steals.read} to read, ${steals.write} to write, ${steals.byDevice} by devices, ` +
      `${steals.devices} of devices, ${steals.interrupts} for interrupts`,
    ...hottestPages.map(
      ({ address, steals: count }) => `          ${count} of page 0x${address.toString(16)}`,
    ),
  ];
}
