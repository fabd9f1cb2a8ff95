/**
 * Log entries as the typed messages of WatchService.
 *
 * Input and random bytes are counted, not shown: a watcher learns when the machine was given
 * something, not what people typed.
 */

import { unreachable } from '../base/assert.js';
import type { EventKind, LogEntry as Entry, LogEvent } from '../event/event.js';
import { EventKind as WireKind, type LogEntry } from './generated/lockstep/v1/watch.js';

const KIND_OF_EVENT: Readonly<Record<EventKind, WireKind>> = {
  epoch: WireKind.EPOCH,
  'console-input': WireKind.CONSOLE_INPUT,
  entropy: WireKind.ENTROPY,
  rebase: WireKind.REBASE,
  wake: WireKind.WAKE,
  interrupt: WireKind.INTERRUPT,
  'output-mark': WireKind.OUTPUT_MARK,
  'state-hash': WireKind.STATE_HASH,
  horizon: WireKind.HORIZON,
  control: WireKind.CONTROL,
  steal: WireKind.STEAL,
  frame: WireKind.FRAME,
};

/** The kinds of events asked for; all if none is named. */
export function kindsOf(kinds: readonly WireKind[]): ReadonlySet<string> {
  const wanted = new Set(kinds);
  const all = Object.entries(KIND_OF_EVENT);
  return new Set(
    all.filter(([, kind]) => wanted.size === 0 || wanted.has(kind)).map(([name]) => name),
  );
}

export function watchEntry(entry: Entry): LogEntry {
  const { event, seq } = entry;
  const hart = 'hart' in event ? event.hart : 0;
  const step = 'hart' in event ? event.step : 0n;
  return { seq, hart, step, event: wireEvent(event) };
}

function wireEvent(event: LogEvent): NonNullable<LogEntry['event']> {
  switch (event.kind) {
    case 'epoch':
      return { $case: 'epoch', value: { epoch: event.epoch } };
    case 'console-input': {
      const { stream, client, sequence, bytes } = event;
      const value = { stream, client, sequence, byteCount: bytes.length };
      return { $case: 'consoleInput', value };
    }
    case 'entropy':
      return { $case: 'entropy', value: { byteCount: event.bytes.length } };
    case 'frame':
      return { $case: 'frame', value: { byteCount: event.bytes.length } };
    case 'rebase':
      return { $case: 'rebase', value: { rate: event.rate } };
    case 'wake':
      return { $case: 'wake', value: { time: event.time } };
    case 'interrupt':
      return { $case: 'interrupt', value: { cause: event.cause } };
    case 'output-mark': {
      const { stream, offset, digest } = event;
      return { $case: 'outputMark', value: { stream, offset, digest } };
    }
    case 'state-hash': {
      const value = {
        hash: event.hash,
        wordCount: event.words.length,
        pageCount: event.pages?.length ?? 0,
        hasPages: event.pages !== null,
      };
      return { $case: 'stateHash', value };
    }
    case 'horizon':
      return { $case: 'horizon', value: { steps: [...event.steps] } };
    case 'control':
      return { $case: 'control', value: { action: event.action } };
    case 'steal': {
      const { page, mode, byDevice, victims } = event;
      const points = victims.map(({ hart, step }) => ({ hart, step }));
      const value = { page, write: mode === 'write', victims: points, byDevice };
      return { $case: 'steal', value };
    }
    default:
      return unreachable(event);
  }
}
