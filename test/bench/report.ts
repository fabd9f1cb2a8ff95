/**
 * The results as a table for a reader and as JSON for a program. Rows can be printed before all
 * are known, so that columns have fixed widths.
 */

import type { Cost } from './costs.js';
import type { Emulator } from './emulators.js';
import { GROUPS, speedAgainst, timesOn, type Figure, type Group } from './figure.js';
import { geometricMean } from './statistics.js';

const GROUP_TITLES: Readonly<Record<Group, string>> = {
  compute: 'compute, bare metal',
  kernel: 'kernel-heavy, bare metal',
  boot: 'Debian boot',
  shell: 'kernel-heavy, Debian',
  binaries: 'Debian binaries',
};

interface Column {
  readonly title: string;
  readonly width: number;
}

/** Text to the left in the first column, numbers to the right in the others. */
function row(columns: readonly Column[], cells: readonly string[]): string {
  return columns
    .map(({ width }, index) => {
      const cell = cells[index] ?? '';
      return index === 0 ? cell.padEnd(width) : cell.padStart(width);
    })
    .join(' ')
    .trimEnd();
}

function othersOf(chosen: readonly Emulator[]): Emulator[] {
  return chosen.filter((emulator) => emulator !== 'lockstep');
}

function columnsFor(chosen: readonly Emulator[]): Column[] {
  const others = othersOf(chosen);
  return [
    { title: '', width: 13 },
    ...chosen.map((title) => ({ title, width: 9 })),
    ...others.map((emulator) => ({ title: `/${emulator}`, width: 9 })),
    { title: 'M inst/s', width: 9 },
    { title: 'MB', width: 5 },
    ...(others.length > 0 ? [{ title: 'MB qemu', width: 8 }] : []),
  ];
}

/** What stands above the first row of a table. */
export function tableHead(chosen: readonly Emulator[]): string {
  const columns = columnsFor(chosen);
  const over = columns.map(() => '');
  over[1] = 'seconds';
  if (chosen.length > 1) over[chosen.length + 1] = 'faster';
  const titles = columns.map(({ title }) => title);
  return `${row(columns, over)}\n${row(columns, titles)}`;
}

export function groupHead(group: Group): string {
  return `\n${GROUP_TITLES[group]}`;
}

export function figureRow(figure: Figure, chosen: readonly Emulator[]): string {
  const ours = timesOn(figure, 'lockstep')?.medianSeconds ?? Number.NaN;
  const { retired } = figure;
  return row(columnsFor(chosen), [
    `  ${figure.name}`,
    ...chosen.map((emulator) => seconds(timesOn(figure, emulator)?.medianSeconds)),
    ...othersOf(chosen).map((emulator) => times(speedAgainst(figure, emulator))),
    retired === null ? '' : (Number(retired) / 1e6 / ours).toFixed(0),
    megabytes(timesOn(figure, 'lockstep')?.peakBytes),
    megabytes(othersOf(chosen).flatMap((one) => timesOn(figure, one) ?? [])[0]?.peakBytes),
  ]);
}

export interface GroupSummary {
  readonly group: Group;
  readonly members: number;
  /** How many times as fast Lockstep is: geometric mean, and the slowest member's. */
  readonly faster: readonly {
    readonly than: Emulator;
    readonly mean: number;
    readonly least: number;
  }[];
}

/** Null where a group has no rows, or nothing to be compared with. */
export function summarise(
  group: Group,
  figures: readonly Figure[],
  chosen: readonly Emulator[],
): GroupSummary | null {
  const members = figures.filter((figure) => figure.group === group);
  const others = othersOf(chosen);
  if (members.length === 0 || others.length === 0) return null;
  const faster = others.flatMap((than) => {
    const speeds = members.flatMap((figure) => speedAgainst(figure, than) ?? []);
    if (speeds.length === 0) return [];
    return [{ than, mean: geometricMean(speeds), least: Math.min(...speeds) }];
  });
  return { group, members: members.length, faster };
}

export function summaries(
  figures: readonly Figure[],
  chosen: readonly Emulator[],
): readonly GroupSummary[] {
  return GROUPS.flatMap((group) => summarise(group, figures, chosen) ?? []);
}

/** Two rows under the members of a group; nothing under a single one. */
export function summaryRows(summary: GroupSummary, chosen: readonly Emulator[]): string[] {
  if (summary.members < 2) return [];
  const columns = columnsFor(chosen);
  const blank = chosen.map(() => '');
  const line = (title: string, value: 'mean' | 'least'): string =>
    row(columns, [
      title,
      ...blank,
      ...othersOf(chosen).map((emulator) =>
        times(summary.faster.find(({ than }) => than === emulator)?.[value]),
      ),
    ]);
  return [line('  mean', 'mean'), line('  least', 'least')];
}

export function costRows(cost: Cost): string[] {
  const columns = [18, 9, 9, 9].map((width) => ({ title: '', width }));
  const rows = cost.programs.map((one) => [
    `  ${one.program}`,
    seconds(one.withoutSeconds),
    seconds(one.withSeconds),
    percent(one.withSeconds / one.withoutSeconds),
  ]);
  return [
    '',
    ...[[`cost of ${cost.name}`, 'without', 'with', 'cost'], ...rows].map((cells) =>
      row(columns, cells),
    ),
    row(columns, ['  mean', '', '', percent(cost.ratio)]),
  ];
}

function seconds(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2);
}

/** How many times as fast. */
function times(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : `${value.toFixed(2)}x`;
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined || bytes === 0 ? '' : (bytes / 1e6).toFixed(0);
}

function percent(ratio: number): string {
  return `${((ratio - 1) * 100).toFixed(1)} %`;
}
