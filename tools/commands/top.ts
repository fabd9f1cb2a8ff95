/**
 * `lockstep top`: the nodes of a machine at work, again and again: speed, lag, and what the
 * compiler of guest code does.
 *
 * Rates are differences between two answers over the time between them, by each node's own clock.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { LockstepError } from '../../lib/base/error.js';
import { TIMEBASE_HZ } from '../../lib/machine/config.js';
import type {
  EngineStatus,
  GetStatusResponse,
} from '../../lib/rpc/generated/lockstep/v1/machine.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine } from '../output.js';
import { alignColumns, ask, roleName, protectionName, type Answer } from './status.js';

const DEFAULT_INTERVAL_MS = 1_000;
const HOME_AND_CLEAR = '\u001b[H\u001b[2J';

const COLUMNS = [
  'ADDRESS',
  'ROLE',
  'PROTECTION',
  'M STEPS/S',
  'TIME',
  'LAG',
  'REGIONS',
  'COMPILED/S',
  'DROPPED/S',
  'CODE',
  'COMPILING',
] as const;

export const top: Command = {
  usage: ['top --connect ADDRESS[,ADDRESS]... [--interval TIME] [--count N] [--json]'],
  description:
    'Shows every node of a machine at work until Ctrl-C: its steps a second, how much faster or ' +
    "slower the guest's clock runs than the host's (TIME), its lag, and the compiler: regions of " +
    'guest code in use, regions compiled and dropped a second, the size of their code, and the ' +
    'share of time that compiling takes. A node without regions interprets.',
  options: {
    connect: {
      type: 'string',
      value: 'A,B',
      help: 'addresses of the nodes, HOST:PORT or unix:PATH',
    },
    interval: { type: 'string', value: 'TIME', help: 'between two looks (1s)' },
    count: { type: 'string', value: 'N', help: 'end after so many looks' },
    json: { type: 'boolean', help: 'one JSON object a line, for each node at each look' },
  },
  async run(args: Arguments): Promise<number> {
    const addresses = args.list('connect') ?? [];
    if (addresses.length === 0) throw new LockstepError('USAGE', '--connect A,B is needed');
    const intervalMs = args.duration('interval') ?? DEFAULT_INTERVAL_MS;
    const count = args.integer('count', 1, 1_000_000_000) ?? Infinity;
    let before = await Promise.all(addresses.map(ask));
    for (let look = 0; look < count; look++) {
      await delay(intervalMs);
      const after = await Promise.all(addresses.map(ask));
      const rates = after.map((answer, index) => ratesOf(before[index], answer));
      process.stdout.write(args.flag('json') ? jsonText(after, rates) : screen(after, rates));
      before = after;
    }
    return before.some(({ status }) => status !== null) ? 0 : 7;
  },
};

/** What happened between two answers of a node, a second of its clock. */
interface Rates {
  readonly steps: number;
  /** Virtual seconds a second: 1 is as fast as the host's clock. */
  readonly virtualTime: number;
  readonly compiled: number;
  readonly dropped: number;
  /** Share of time spent on compiling. */
  readonly compiling: number;
}

/** Null for a node that did not answer twice, or began anew between. */
export function ratesOf(before: Answer | undefined, after: Answer): Rates | null {
  const [one, two] = [before?.status ?? null, after.status];
  if (one === null || two === null || one.node !== two.node) return null;
  const seconds = two.uptimeSeconds - one.uptimeSeconds;
  if (!(seconds > 0)) return null;
  const rate = (read: (status: GetStatusResponse) => bigint | number): number =>
    Math.max(0, Number(read(two)) - Number(read(one))) / seconds;
  return {
    steps: rate(({ steps }) => steps.reduce((sum, count) => sum + count, 0n)),
    virtualTime: rate(({ virtualTime }) => virtualTime) / TIMEBASE_HZ,
    compiled: rate((status) => engineOf(status).regionsCompiled),
    dropped: rate((status) => engineOf(status).regionsDropped),
    compiling: rate((status) => engineOf(status).compileSeconds),
  };
}

type EngineNumbers = Pick<
  EngineStatus,
  'regions' | 'regionsCompiled' | 'regionsDropped' | 'codeBytes' | 'compileSeconds'
>;

/** A node of an older version says nothing of its engine. */
function engineOf({ engine }: GetStatusResponse): EngineNumbers {
  return (
    engine ?? {
      regions: 0n,
      regionsCompiled: 0n,
      regionsDropped: 0n,
      codeBytes: 0n,
      compileSeconds: 0,
    }
  );
}

function screen(answers: readonly Answer[], rates: readonly (Rates | null)[]): string {
  const rows = answers.map((answer, index) => rowOf(answer, rates[index] ?? null));
  const text = `${alignColumns([[...COLUMNS], ...rows]).join('\n')}\n`;
  return process.stdout.isTTY ? `${HOME_AND_CLEAR}${text}` : text;
}

export function rowOf({ address, status, failure }: Answer, rates: Rates | null): string[] {
  if (status === null) return [address, `no answer: ${failure}`];
  const engine = engineOf(status);
  const shown = (value: number | undefined, digits: number): string =>
    value === undefined ? '-' : value.toFixed(digits);
  return [
    address,
    roleName(status.role) + (status.stopped === '' ? '' : ` (${status.stopped})`),
    protectionName(status.protection),
    shown(rates === null ? undefined : rates.steps / 1e6, 1),
    rates === null ? '-' : `${rates.virtualTime.toFixed(2)}x`,
    `${(status.lagSeconds * 1000).toFixed(1)} ms`,
    `${engine.regions}`,
    shown(rates?.compiled, 0),
    shown(rates?.dropped, 0),
    `${(Number(engine.codeBytes) / 1e3).toFixed(0)} kB`,
    rates === null ? '-' : `${(rates.compiling * 100).toFixed(1)} %`,
  ];
}

function jsonText(answers: readonly Answer[], rates: readonly (Rates | null)[]): string {
  const lines = answers.map(({ address, status, failure }, index) =>
    status === null
      ? toJsonLine({ address, failure })
      : toJsonLine({
          address,
          role: roleName(status.role),
          protection: protectionName(status.protection),
          steps: status.steps,
          lagSeconds: status.lagSeconds,
          engine: status.engine,
          rates: rates[index],
        }),
  );
  return `${lines.join('\n')}\n`;
}
