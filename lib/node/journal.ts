/**
 * The journal of a node on stderr: one line for each transition, in fixed columns, or one JSON
 * object a line.
 *
 *      2.318  primary    e1  protecting -> protected     protection entry acked
 *      ^      ^          ^   ^                            ^
 *      |      |          |   what happened                why, or with what figures
 *      |      role       epoch
 *      seconds since this process began
 *
 * Text from peers and guests is escaped, so that nobody can write a line that this node did not.
 */

import { performance } from 'node:perf_hooks';

export type JournalFields = Readonly<Record<string, string | number | bigint | boolean>>;

export interface JournalEntry {
  /** What happened, in a word or two, or `from -> to`. */
  readonly event: string;
  /** Why, for people. */
  readonly detail?: string;
  /** What a program would read. */
  readonly fields?: JournalFields;
}

export interface JournalSink {
  write(text: string): unknown;
}

export class Journal {
  /** Columns two and three; the role's owner keeps them true. */
  role = 'starting';
  epoch = 0n;
  private readonly sink: JournalSink;
  private readonly json: boolean;

  constructor(sink: JournalSink, json: boolean) {
    this.sink = sink;
    this.json = json;
  }

  note(entry: JournalEntry): void {
    const seconds = performance.now() / 1000;
    this.sink.write(`${this.json ? this.jsonLine(seconds, entry) : this.line(seconds, entry)}\n`);
  }

  private line(seconds: number, entry: JournalEntry): string {
    const columns = [
      seconds.toFixed(3).padStart(9),
      this.role.padEnd(9),
      `e${this.epoch}`.padStart(3),
      entry.event.padEnd(26),
    ];
    const fields = Object.entries(entry.fields ?? {}).map(([name, value]) => `${name}=${value}`);
    const rest = [entry.detail ?? '', ...fields].filter((part) => part !== '').join('  ');
    return escapeControls(`${columns.join('  ')}  ${rest}`.trimEnd());
  }

  private jsonLine(seconds: number, entry: JournalEntry): string {
    const fields = Object.entries(entry.fields ?? {}).map(([name, value]) => {
      return [name, typeof value === 'bigint' ? value.toString() : value] as const;
    });
    // The journal's own columns stand whatever a field is called.
    const line = {
      ...Object.fromEntries(fields),
      seconds: Number(seconds.toFixed(6)),
      role: this.role,
      epoch: this.epoch.toString(),
      event: entry.event,
      ...(entry.detail === undefined ? {} : { detail: entry.detail }),
    };
    return JSON.stringify(line);
  }
}

/** Control characters as \xNN, so that a text stays on its line and leaves the terminal alone. */
export function escapeControls(text: string): string {
  let result = '';
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    result += isControl ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  }
  return result;
}
