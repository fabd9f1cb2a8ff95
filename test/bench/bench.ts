/**
 * One run of the benchmarks: what was chosen, in order, each result printed when it is known.
 */

import { toJsonLine } from '../../tools/output.js';
import { benchCost, COSTS, type Cost } from './costs.js';
import { benchBoot, benchDebian } from './debian-bench.js';
import { findEmulators, type Emulator, type Emulators } from './emulators.js';
import { GROUPS, type Figure, type Group, type Outcome } from './figure.js';
import { describeHost, hostLines } from './host.js';
import { benchProgram, type BenchOptions } from './program-bench.js';
import { PROGRAMS } from './programs.js';
import { judge, promiseLine } from './promises.js';
import {
  costRows,
  figureRow,
  groupHead,
  summaries,
  summarise,
  summaryRows,
  tableHead,
} from './report.js';

const DEFAULT_RUNS = 3;
/** A quick run compares programs with the peer that counts, the boot with the one that records. */
const QUICK_PROGRAMS: readonly Emulator[] = ['lockstep', 'icount'];
const QUICK_BOOT: readonly Emulator[] = ['lockstep', 'record'];

export interface BenchChoice {
  /** Sets and programs; all where empty. */
  readonly names: readonly string[];
  /** Null for the default. */
  readonly runs: number | null;
  readonly isQuick: boolean;
  readonly isJson: boolean;
}

export class Bench {
  private readonly choice: BenchChoice;
  private readonly emulators: Emulators;
  private readonly folder: string;
  private readonly runs: number;
  /** Emulators that have a column. */
  private readonly shown: readonly Emulator[];
  private readonly figures: Figure[] = [];
  private readonly costs: Cost[] = [];
  private readonly complaints: string[] = [];

  private constructor(choice: BenchChoice, emulators: Emulators, folder: string) {
    this.choice = choice;
    this.emulators = emulators;
    this.folder = folder;
    const quick = [...QUICK_PROGRAMS, ...QUICK_BOOT];
    this.shown = emulators.available.filter((one) => !choice.isQuick || quick.includes(one));
    this.runs = choice.runs ?? (choice.isQuick ? 1 : DEFAULT_RUNS);
  }

  static async prepare(choice: BenchChoice, folder: string): Promise<Bench> {
    return new Bench(choice, await findEmulators(), folder);
  }

  /** `agrees`: all emulators gave equal results; `keeps`: no promise fell short. */
  async run(): Promise<{ readonly agrees: boolean; readonly keeps: boolean }> {
    const { isJson } = this.choice;
    const host = describeHost(this.emulators.qemuVersion, this.runs);
    this.print(isJson ? toJsonLine({ kind: 'host', ...host }) : hostLines(host).join('\n'));
    await this.runPrograms();
    await this.runDebian();
    await this.runCosts();
    const verdicts = judge(this.figures, this.costs);
    if (isJson) {
      for (const summary of summaries(this.figures, this.shown)) {
        this.print(toJsonLine({ kind: 'summary', ...summary }));
      }
    } else if (verdicts.length > 0) this.print('');
    for (const verdict of verdicts) {
      this.print(isJson ? toJsonLine({ kind: 'promise', ...verdict }) : promiseLine(verdict));
    }
    return {
      agrees: this.complaints.length === 0,
      keeps: verdicts.every(({ isKept }) => isKept),
    };
  }

  private wants(...names: readonly string[]): boolean {
    return this.choice.names.length === 0 || names.some((name) => this.choice.names.includes(name));
  }

  private options(quick: readonly Emulator[], runs = this.runs): BenchOptions {
    const { available } = this.emulators;
    const { isQuick } = this.choice;
    const chosen = isQuick ? available.filter((one) => quick.includes(one)) : available;
    return { chosen, runs, folder: this.folder };
  }

  private async runPrograms(): Promise<void> {
    const options = this.options(QUICK_PROGRAMS);
    for (const group of ['compute', 'kernel'] as const) {
      const programs = PROGRAMS.filter((one) => one.group === group && this.wants(one.name, group));
      if (programs.length > 0) this.begin(group);
      for (const program of programs) {
        this.take(await benchProgram(program, this.emulators, options));
      }
      this.end(group);
    }
  }

  private async runDebian(): Promise<void> {
    if (this.wants('boot')) {
      const outcome = await benchBoot(this.emulators, this.options(QUICK_BOOT));
      if (outcome !== null) this.takeGroups(outcome);
    }
    const unasked = this.choice.isQuick && this.choice.names.length === 0;
    if (!unasked && this.wants('debian')) {
      const runs = this.choice.runs ?? 1;
      const outcome = await benchDebian(this.emulators, this.options(QUICK_BOOT, runs));
      if (outcome !== null) this.takeGroups(outcome);
    }
  }

  private async runCosts(): Promise<void> {
    if (this.choice.isQuick && this.choice.names.length === 0) return;
    for (const name of COSTS.filter((one) => this.wants(one))) {
      const runs = this.choice.runs ?? 1;
      const cost = await benchCost(name, { runs, folder: this.folder });
      this.costs.push(cost);
      this.complain(cost.complaints);
      if (this.choice.isJson) this.print(toJsonLine({ kind: 'cost', ...cost }));
      else this.print(costRows(cost).join('\n'));
    }
  }

  /** Figures of several groups that came at once. */
  private takeGroups(outcome: Outcome): void {
    for (const group of GROUPS) {
      const figures = outcome.figures.filter((figure) => figure.group === group);
      if (figures.length === 0) continue;
      this.begin(group);
      this.take({ figures, complaints: [] });
      this.end(group);
    }
    this.complain(outcome.complaints);
  }

  /** The table begins with its first group. */
  private begin(group: Group): void {
    if (this.choice.isJson) return;
    if (this.figures.length === 0) this.print(`\n${tableHead(this.shown)}`);
    this.print(groupHead(group));
  }

  private take({ figures, complaints }: Outcome): void {
    this.figures.push(...figures);
    this.complain(complaints);
    for (const figure of figures) {
      const isJson = this.choice.isJson;
      this.print(
        isJson ? toJsonLine({ kind: 'figure', ...figure }) : figureRow(figure, this.shown),
      );
    }
  }

  private end(group: Group): void {
    if (this.choice.isJson) return;
    const summary = summarise(group, this.figures, this.shown);
    if (summary === null) return;
    for (const line of summaryRows(summary, this.shown)) this.print(line);
  }

  private complain(complaints: readonly string[]): void {
    this.complaints.push(...complaints);
    for (const complaint of complaints) process.stderr.write(`bench: ${complaint}\n`);
  }

  private print(text: string): void {
    process.stdout.write(`${text}\n`);
  }
}
