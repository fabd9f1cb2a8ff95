/**
 * What a subcommand of `lockstep` is, and the typed view of its command line.
 *
 * A command states its options once; parsing, `--help` and the hint after a mistyped flag all
 * come from that table. A command returns its exit status, writes answers to stdout and lets a
 * `LockstepError` pass: the frame prints it on stderr and chooses the status by its code.
 *
 * To add a command: write `tools/commands/NAME.ts` that exports a `Command`, and add one entry to
 * `tools/commands/index.ts`.
 */

import { parseArgs } from 'node:util';
import { assert } from '../lib/base/assert.js';
import { LockstepError } from '../lib/base/error.js';
import { parseCount, parseDuration, parseSize } from './quantity.js';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** One letter. */
  readonly short?: string;
  /** May be given more than once; read with `texts`. */
  readonly multiple?: boolean;
  /** Placeholder of the value in help, such as `FILE`; a string option has one. */
  readonly value?: string;
  /** One phrase, with the default where there is one. */
  readonly help: string;
}

export type OptionTable = Readonly<Record<string, OptionSpec>>;

export interface Command {
  /** Forms after `lockstep`, one per line of help: `log dump DIR|FILE [--json]`. */
  readonly usage: readonly string[];
  /** What it does, in a paragraph or two; shown by `--help`. */
  readonly description: string;
  readonly options: OptionTable;
  /** How many words that are not flags it takes; none where absent. */
  readonly positionals?: { readonly min: number; readonly max: number };
  run(args: Arguments): Promise<number>;
}

export const COMMAND_GROUPS = ['Run a machine', 'A pair', 'Tools'] as const;

/** A command in the table: what help shows, and how to load the rest when it is called. */
export interface CommandEntry {
  /** One word, or two for a family: `log dump`. */
  readonly name: string;
  readonly group: (typeof COMMAND_GROUPS)[number];
  readonly summary: string;
  /** It runs a machine in this process, so that a thread for it may start at once. */
  readonly runsMachine?: boolean;
  load(): Promise<Command>;
}

type Value = string | boolean | readonly (string | boolean)[] | undefined;

/** A parsed command line. Every name asked for must be in the command's option table. */
export class Arguments {
  readonly positionals: readonly string[];
  private readonly values: Readonly<Record<string, Value>>;
  private readonly options: OptionTable;

  constructor(
    options: OptionTable,
    values: Readonly<Record<string, Value>>,
    positionals: readonly string[],
  ) {
    this.options = options;
    this.values = values;
    this.positionals = positionals;
  }

  private value(name: string, type: OptionSpec['type']): Value {
    const spec = this.options[name];
    assert(spec?.type === type, `--${name} is not a ${type} option of this command`);
    return this.values[name];
  }

  /** True if the boolean option was given. */
  flag(name: string): boolean {
    return this.value(name, 'boolean') === true;
  }

  text(name: string): string | undefined {
    const value = this.value(name, 'string');
    return typeof value === 'string' ? value : undefined;
  }

  /** The text of an option that must be given. */
  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) {
      const placeholder = this.options[name]?.value ?? 'VALUE';
      throw new LockstepError('USAGE', `--${name} ${placeholder} is needed`);
    }
    return value;
  }

  /** Every value of an option declared `multiple`, in order. */
  texts(name: string): readonly string[] {
    const value = this.value(name, 'string');
    if (!Array.isArray(value)) return [];
    return value.filter((item): item is string => typeof item === 'string');
  }

  /** The items of a comma-separated option; empty items are refused. */
  list(name: string): readonly string[] | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const items = text.split(',');
    if (items.includes('')) throw new LockstepError('USAGE', `--${name}: empty item in "${text}"`);
    return items;
  }

  /** Bytes. */
  size(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseSize(text, `--${name}`);
  }

  /** Milliseconds. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseDuration(text, `--${name}`);
  }

  /** A step count or a sequence number. */
  count(name: string): bigint | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseCount(text, `--${name}`);
  }

  /** A plain number such as a count of harts, within bounds that the message names. */
  integer(name: string, min: number, max: number): number | undefined {
    const value = this.count(name);
    if (value === undefined) return undefined;
    if (value < BigInt(min) || value > BigInt(max)) {
      throw new LockstepError('USAGE', `--${name}: ${value} is not between ${min} and ${max}`);
    }
    return Number(value);
  }
}

/** The words after the command's name, or USAGE with a hint. `--help` is the frame's own. */
export function parseCommandLine(command: Command, words: readonly string[]): Arguments {
  const { min, max } = command.positionals ?? { min: 0, max: 0 };
  const parsed = parseStrictly(command.options, words);
  const count = parsed.positionals.length;
  if (count > max) {
    const extra = parsed.positionals[max] ?? '';
    throw new LockstepError('USAGE', `unexpected argument "${extra}"`);
  }
  if (count < min) {
    throw new LockstepError('USAGE', `missing argument: lockstep ${command.usage[0] ?? ''}`);
  }
  return new Arguments(command.options, parsed.values, parsed.positionals);
}

interface ParsedWords {
  readonly values: Readonly<Record<string, Value>>;
  readonly positionals: readonly string[];
}

function parseStrictly(options: OptionTable, words: readonly string[]): ParsedWords {
  const config: Record<string, { type: OptionSpec['type']; short?: string; multiple?: boolean }> =
    {};
  for (const [name, spec] of Object.entries(options)) {
    config[name] = {
      type: spec.type,
      ...(spec.short === undefined ? {} : { short: spec.short }),
      ...(spec.multiple === undefined ? {} : { multiple: spec.multiple }),
    };
  }
  const args = [...words];
  const { tokens } = parseArgs({
    args,
    options: config,
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  for (const token of tokens) {
    if (token.kind === 'option' && options[token.name] === undefined) {
      const hint = nearestName(token.name, [...Object.keys(options), 'help']);
      const suggestion = hint === undefined ? '' : `; did you mean --${hint}?`;
      throw new LockstepError('USAGE', `unknown option ${token.rawName}${suggestion}`);
    }
  }
  try {
    return parseArgs({ args, options: config, strict: true, allowPositionals: true });
  } catch (error) {
    // Only parseArgs' own complaints are the user's: a value missing, or one too many.
    if (error instanceof TypeError && 'code' in error) {
      throw new LockstepError('USAGE', error.message.split('\n')[0] ?? error.message);
    }
    throw error;
  }
}

/** The candidate nearest to `name` by edit distance, if it is near enough to be a slip. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = candidate.startsWith(name) ? 1 : editDistance(name, candidate);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
