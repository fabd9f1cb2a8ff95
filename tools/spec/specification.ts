/**
 * The promises of docs/SPECIFICATION.md as data.
 *
 * The document is the only place where a promise stands: this file reads its tables, so that the
 * command a person sees there and the command that `npm run spec` runs can't differ. A table is
 * one whose header row is `COLUMNS`; everything else in the document is prose.
 */

import { LockstepError } from '../../lib/base/error.js';

export interface SpecificationItem {
  /** Short and stable: `failover-time`. */
  readonly id: string;
  readonly promise: string;
  readonly figure: string;
  /** A shell command that exits with 0 if the promise is kept; null while there is none. */
  readonly command: string | null;
  /** The value last measured, or `test pending`. */
  readonly measured: string;
  /** Title of the section it stands in. */
  readonly section: string;
}

export const COLUMNS = ['Id', 'Promise', 'Figure', 'Command', 'Last measured'] as const;
export const PENDING = 'test pending';

/** All promises in order. A row that doesn't fit its table is refused with `USAGE`. */
export function parseSpecification(markdown: string): readonly SpecificationItem[] {
  const items: SpecificationItem[] = [];
  let section = '';
  let inTable = false;
  for (const [index, line] of markdown.split('\n').entries()) {
    if (line.startsWith('## ')) section = line.slice(3).trim();
    if (!line.startsWith('|')) {
      inTable = false;
      continue;
    }
    const cells = cellsOf(line);
    if (!inTable) {
      inTable = cells.join('|') === COLUMNS.join('|');
      continue;
    }
    if (cells.every((cell) => /^:?-+:?$/.test(cell))) continue;
    items.push(itemOf(cells, section, index + 1));
  }
  const ids = items.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) throw malformed(`the id ${twice} stands twice`);
  return items;
}

function cellsOf(line: string): string[] {
  return line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function itemOf(cells: readonly string[], section: string, line: number): SpecificationItem {
  const [id = '', promise = '', figure = '', command = '', measured = ''] = cells;
  if (cells.length !== COLUMNS.length) throw malformed(`line ${line} has ${cells.length} cells`);
  if (!/^`[a-z0-9-]+`$/.test(id)) throw malformed(`line ${line}: ${id} is no id`);
  const shell = /^`([^`]+)`$/.exec(command)?.[1] ?? null;
  if (shell === null && command !== PENDING) {
    throw malformed(`line ${line}: the command is neither code nor "${PENDING}"`);
  }
  return { id: id.slice(1, -1), promise, figure, command: shell, measured, section };
}

function malformed(what: string): LockstepError {
  return new LockstepError('USAGE', `docs/SPECIFICATION.md: ${what}`);
}
