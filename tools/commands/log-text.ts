/**
 * Log entries as people and programs read them: a line of fixed columns, or a JSON object.
 */

import { unreachable } from '../../lib/base/assert.js';
import { LockstepError } from '../../lib/base/error.js';
import { EVENT_KINDS } from '../../lib/event/codec.js';
import type { EventKind, LogEntry, LogEvent } from '../../lib/event/event.js';
import { toHex } from '../../lib/host/log-store/sha256.js';
import { nearestName } from '../command.js';

const SHOWN_BYTES = 48;

export const COLUMN_LEGEND = '       seq epoch hart             step kind           detail';

/** One line: sequence number, epoch, hart, step, kind, what the kind adds. */
export function entryLine({ seq, event }: LogEntry, epoch: bigint): string {
  const hart = 'hart' in event ? String(event.hart) : '-';
  const step = 'step' in event ? String(event.step) : '-';
  const columns = [
    String(seq).padStart(10),
    String(epoch).padStart(5),
    hart.padStart(4),
    step.padStart(16),
    event.kind.padEnd(14),
    detail(event),
  ];
  return columns.join(' ').trimEnd();
}

function detail(event: LogEvent): string {
  switch (event.kind) {
    case 'epoch':
      return `epoch=${event.epoch}`;
    case 'console-input':
      return `${event.stream} client=${event.client} sequence=${event.sequence} ${shownText(event.bytes)}`;
    case 'entropy':
    case 'frame':
      return shownHex(event.bytes);
    case 'rebase':
      return `rate=${event.rate}`;
    case 'wake':
      return `time=${event.time}`;
    case 'interrupt':
      return `cause=${event.cause}`;
    case 'output-mark':
      return `${event.stream} offset=${event.offset} digest=${hash(event.digest)}`;
    case 'state-hash': {
      const pages = event.pages === null ? '-' : String(event.pages.length);
      return `hash=${hash(event.hash)} words=${event.words.length} pages=${pages}`;
    }
    case 'horizon':
      return `steps=${event.steps.join(',')}`;
    case 'control':
      return event.action;
    case 'steal': {
      const victims = event.victims.map(({ hart, step }) => `${hart}@${step}`).join(',');
      return `page=${event.page} ${event.mode}${event.byDevice ? ' by-device' : ''} victims=${victims === '' ? '-' : victims}`;
    }
    default:
      return unreachable(event);
  }
}

function hash(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}

/** Length and the first bytes, control characters and what is not ASCII escaped. */
function shownText(bytes: Uint8Array): string {
  const shown = bytes.subarray(0, SHOWN_BYTES);
  const text = JSON.stringify(String.fromCharCode(...shown)).replace(
    /[\x7f-\xff]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
  return `${bytes.length}B ${text}${bytes.length > SHOWN_BYTES ? '..' : ''}`;
}

function shownHex(bytes: Uint8Array): string {
  const more = bytes.length > SHOWN_BYTES / 2 ? '..' : '';
  return `${bytes.length}B ${toHex(bytes.subarray(0, SHOWN_BYTES / 2))}${more}`;
}

/**
 * An object for JSON: the entry's fields as they are, bytes in hexadecimal, hashes as 16
 * hexadecimal digits, other 64-bit numbers as bigint (which `toJsonLine` makes strings).
 */
export function entryObject({ seq, event }: LogEntry, epoch: bigint): object {
  const base = { seq, batchEpoch: epoch, ...event };
  switch (event.kind) {
    case 'console-input':
    case 'entropy':
    case 'frame':
      return { ...base, bytes: toHex(event.bytes) };
    case 'output-mark':
      return { ...base, digest: hash(event.digest) };
    case 'state-hash':
      return {
        ...base,
        hash: hash(event.hash),
        words: event.words.map(([index, value]) => ({ index, value: hash(value) })),
        pages: event.pages?.map(([page, value]) => ({ page, hash: hash(value) })) ?? null,
      };
    default:
      return base;
  }
}

/** The kinds that `--kind` names, or USAGE with the nearest name. */
export function parseKinds(names: readonly string[]): ReadonlySet<EventKind> {
  const kinds = names.map((name) => {
    const kind = EVENT_KINDS.find((known) => known === name);
    if (kind !== undefined) return kind;
    const hint = nearestName(name, EVENT_KINDS);
    const suggestion =
      hint === undefined ? `the kinds are ${EVENT_KINDS.join(', ')}` : `did you mean ${hint}?`;
    throw new LockstepError('USAGE', `--kind: no event kind "${name}"; ${suggestion}`);
  });
  return new Set(kinds);
}
