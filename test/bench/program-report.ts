/** The figures of the bare-metal programs as a table and as JSON. */

import { present } from '../../lib/base/assert.js';
import type { Emulator } from './emulators.js';
import { geometricMean } from './figures.js';
import { secondsOn, speedAgainst, type ProgramFigure } from './program-bench.js';
import { megabytes, seconds, tableRow, times, type Column } from './report.js';

const GROUP_TITLES = { compute: 'compute', kernel: 'kernel-heavy' } as const;

function columns(chosen: readonly Emulator[]): Column[] {
  const others = chosen.filter((emulator) => emulator !== 'lockstep');
  const right = (title: string, width = 8): Column => ({ title, align: 'right', width });
  return [
    { title: 'program', align: 'left', width: 26 },
    ...chosen.map((emulator) => right(emulator)),
    ...others.map((emulator) => right(`/${emulator}`)),
    right('M inst'),
    right('M inst/s'),
    right('MB'),
    ...(others.length > 0 ? [right('MB qemu')] : []),
  ];
}

export function programHead(chosen: readonly Emulator[]): string {
  const others = chosen.filter((emulator) => emulator !== 'lockstep');
  const all = columns(chosen);
  const over = all.map(() => '');
  over[1] = 'seconds';
  if (others.length > 0) over[chosen.length + 1] = 'faster';
  return [
    tableRow(all, over),
    tableRow(
      all,
      all.map(({ title }) => title),
    ),
  ].join('\n');
}

export function programRow(figure: ProgramFigure, chosen: readonly Emulator[]): string {
  const others = chosen.filter((emulator) => emulator !== 'lockstep');
  const ours = present(secondsOn(figure, 'lockstep'), 'our time');
  const { retired } = figure.answer;
  return tableRow(columns(chosen), [
    figure.program.name,
    ...chosen.map((emulator) => seconds(secondsOn(figure, emulator) ?? Number.NaN)),
    ...others.map((emulator) => times(speedAgainst(figure, emulator) ?? Number.NaN)),
    (Number(retired) / 1e6).toFixed(0),
    (Number(retired) / 1e6 / ours).toFixed(0),
    megabytes(peakOn(figure, 'lockstep')),
    ...(others.length > 0 ? [megabytes(peakOn(figure, 'qemu'))] : []),
  ]);
}

export function programJson(figure: ProgramFigure): object {
  const { program, answer, emulators, complaints } = figure;
  return { kind: 'program', ...program, ...answer, emulators, agrees: complaints.length === 0 };
}

export interface GroupSummary {
  readonly kind: 'summary';
  readonly group: 'compute' | 'kernel';
  readonly programs: number;
  /** Geometric means of how many times as fast Lockstep is, and the slowest program's. */
  readonly faster: readonly {
    readonly than: Emulator;
    readonly mean: number;
    readonly least: number;
  }[];
}

export function summaryJson(
  figures: readonly ProgramFigure[],
  chosen: readonly Emulator[],
): GroupSummary[] {
  const others = chosen.filter((emulator) => emulator !== 'lockstep');
  return (['compute', 'kernel'] as const).flatMap((group) => {
    const members = figures.filter(({ program }) => program.group === group);
    if (members.length === 0 || others.length === 0) return [];
    const faster = others.map((than) => {
      const speeds = members.map((figure) => present(speedAgainst(figure, than), 'speed'));
      return { than, mean: geometricMean(speeds), least: Math.min(...speeds) };
    });
    return [{ kind: 'summary' as const, group, programs: members.length, faster }];
  });
}

export function summaryRows(
  figures: readonly ProgramFigure[],
  chosen: readonly Emulator[],
): string[] {
  const all = columns(chosen);
  const blank = chosen.map(() => '');
  return summaryJson(figures, chosen).flatMap(({ group, programs, faster }) => [
    tableRow(all, [
      `mean of ${programs} ${GROUP_TITLES[group]}`,
      ...blank,
      ...faster.map(({ mean }) => times(mean)),
    ]),
    tableRow(all, ['  least', ...blank, ...faster.map(({ least }) => times(least))]),
  ]);
}

function peakOn(figure: ProgramFigure, emulator: Emulator): number {
  return figure.emulators.find((one) => one.emulator === emulator)?.peakBytes ?? 0;
}
