/**
 * Replays of a recording that must fail: its log edited, or its machine damaged.
 */

import { readFileSync } from 'node:fs';
import type { LockstepError } from '../../lib/base/error.js';
import type { LogEntry, LogEvent, StateHashEvent } from '../../lib/event/event.js';
import { HartHost } from '../../lib/host/hart-host.js';
import type { LogMeta } from '../../lib/host/log-store/meta.js';
import type { MachineImages } from '../../lib/machine/config.js';
import { shifted, type WholeLog } from './edited-log.js';

const FAULTY_FACTORY = new URL('./faulty-machine.js', import.meta.url).href;

/** The log without an entry, and with it a step earlier and a step later. */
export function edits(
  entries: readonly LogEntry[],
  index: number,
): (readonly [edit: string, events: readonly LogEvent[]])[] {
  const events = entries.map(({ event }) => event);
  const event = events[index];
  const result: (readonly [string, readonly LogEvent[]])[] = [
    ['deleted', events.toSpliced(index, 1)],
  ];
  for (const delta of [1n, -1n]) {
    const moved = event === undefined ? null : shifted(event, delta);
    if (moved !== null) result.push([`moved by ${delta}`, events.with(index, moved)]);
  }
  return result;
}

/** Faults shortly before the last check that has pages, with what a report must name. */
export function faultsIn(
  entries: readonly LogEntry[],
): { readonly fault: string; readonly expected: RegExp }[] {
  const checks = entries
    .map(({ event }) => event)
    .filter((event): event is StateHashEvent => event.kind === 'state-hash');
  const check = checks.findLast(({ pages }) => pages !== null && pages.length > 0);
  if (check === undefined) throw new Error('no check with pages in the log');
  const page = check.pages?.at(-1)?.[0] ?? 0;
  // One step before the check: the guest has no time to write over it.
  const step = check.step - 1n;
  return [
    { fault: `${step} word hart0.x[27] 63`, expected: /^hart0\.x\[27\]$/ },
    { fault: `${step} word hart0.f[9] 52`, expected: /^hart0\.f\[9\]$/ },
    { fault: `${step} word hart0.sscratch 5`, expected: /^hart0\.sscratch$/ },
    { fault: `${step} word hart0.medeleg 8`, expected: /^hart0\.medeleg$/ },
    { fault: `${step} word plic.priority[7] 1`, expected: /^plic\.priority\[7\]$/ },
    { fault: `${step} word rtc.offset 40`, expected: /^rtc\.offset$/ },
    { fault: `${step} word uart.scr 3`, expected: /^uart\.scr$/ },
    { fault: `${step} page ${page} 12345`, expected: new RegExp(`^page ${page} `) },
  ];
}

/** Replays events with numbers from 1; the error it ends with, null if there is none. */
export function replayEvents(
  meta: LogMeta,
  events: readonly LogEvent[],
  machineFactory?: string,
): Promise<LockstepError | null> {
  const entries = events.map((event, index) => ({ seq: BigInt(index + 1), event }));
  return replayEntries(meta, entries, machineFactory);
}

/** Replays with a machine of `faulty-machine.ts`. Such replays must not run at the same time. */
export async function replayWithFault(log: WholeLog, fault: string): Promise<LockstepError | null> {
  process.env['LOCKSTEP_TEST_FLIP'] = fault;
  try {
    return await replayEntries(log.meta, log.entries, FAULTY_FACTORY);
  } finally {
    delete process.env['LOCKSTEP_TEST_FLIP'];
  }
}

async function replayEntries(
  meta: LogMeta,
  entries: readonly LogEntry[],
  machineFactory: string | undefined,
): Promise<LockstepError | null> {
  const lastSeq = entries.at(-1)?.seq ?? 0n;
  let resolve: (error: LockstepError | null) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const done = new Promise<LockstepError | null>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const host = await HartHost.start({
    config: meta.config,
    images: imagesOf(meta),
    start: { kind: 'boot' },
    role: { kind: 'replay', firstSeq: 1n },
    listener: {
      onProgress: ({ seq }) => {
        if (seq === lastSeq) resolve(null);
      },
      onDiverged: resolve,
      onFatal: reject,
    },
    ...(machineFactory === undefined ? {} : { machineFactory }),
  });
  try {
    host.feed(entries);
    return await done;
  } finally {
    await host.stop();
  }
}

export function imagesOf(meta: LogMeta): MachineImages {
  const image = (role: string): Uint8Array | null => {
    const path = meta.images.find((candidate) => candidate.role === role)?.path;
    return path === undefined ? null : readFileSync(path);
  };
  return { bios: image('bios'), kernel: image('kernel'), initrd: image('initrd') };
}
