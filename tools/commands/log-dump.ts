/**
 * `lockstep log dump`: the entries of a log, one a line, for people or as JSON for programs.
 *
 * It reads as it prints, so a log of any length needs little memory, and what stands before
 * damage is printed before the damage is reported.
 */

import { LogReader, type LogEnd } from '../../lib/host/log-store/reader.js';
import type { EventKind } from '../../lib/event/event.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine, writeLines } from '../output.js';
import { COLUMN_LEGEND, entryLine, entryObject, parseKinds } from './log-text.js';

export const logDump: Command = {
  usage: ['log dump DIR|FILE [--from SEQ] [--to SEQ] [--kind KIND,..] [--json]'],
  description:
    'Prints the entries of a log directory, or of one of its segments, one a line: sequence ' +
    'number, epoch of the batch, hart, step, kind, and what the kind adds. Everything is ' +
    'verified on the way; damage ends the listing with exit status 4.\n' +
    '\n' +
    'With --json, 64-bit numbers are decimal strings, hashes and bytes are hexadecimal.',
  options: {
    from: { type: 'string', value: 'SEQ', help: 'first sequence number to print' },
    to: { type: 'string', value: 'SEQ', help: 'last sequence number to print' },
    kind: { type: 'string', value: 'KIND,..', help: 'print these kinds of event only' },
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
  positionals: { min: 1, max: 1 },
  run: dump,
};

interface Selection {
  readonly from: bigint;
  readonly to: bigint | null;
  readonly kinds: ReadonlySet<EventKind> | null;
  readonly json: boolean;
}

async function dump(args: Arguments): Promise<number> {
  const [path = ''] = args.positionals;
  const kinds = args.list('kind');
  const selection: Selection = {
    from: args.count('from') ?? 0n,
    to: args.count('to') ?? null,
    kinds: kinds === undefined ? null : parseKinds(kinds),
    json: args.flag('json'),
  };
  const listing = new Listing(LogReader.open(path), selection);
  await writeLines(listing.lines());
  const tornBytes = listing.end?.tornBytes ?? 0;
  if (tornBytes > 0) {
    process.stderr.write(`lockstep: ${path}: a torn tail of ${tornBytes} bytes is left out\n`);
  }
  return 0;
}

class Listing {
  private readonly reader: LogReader;
  private readonly selection: Selection;
  /** Set when the log was read to its end. */
  end: LogEnd | null = null;

  constructor(reader: LogReader, selection: Selection) {
    this.reader = reader;
    this.selection = selection;
  }

  *lines(): Generator<string, void, undefined> {
    const { from, to, kinds, json } = this.selection;
    if (!json) yield COLUMN_LEGEND;
    const batches = this.reader.batches();
    for (let step = batches.next(); ; step = batches.next()) {
      if (step.done === true) {
        this.end = step.value;
        return;
      }
      const { entries, epoch } = step.value.batch;
      for (const entry of entries) {
        if (to !== null && entry.seq > to) return;
        if (entry.seq < from || (kinds !== null && !kinds.has(entry.event.kind))) continue;
        yield json ? toJsonLine(entryObject(entry, epoch)) : entryLine(entry, epoch);
      }
    }
  }
}
