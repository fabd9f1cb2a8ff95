/**
 * `lockstep status`: what the nodes of a machine say of themselves.
 */

import { Client } from '@grpc/grpc-js';
import { LockstepError } from '../../lib/base/error.js';
import { askStatus } from '../../lib/node/primary-finder.js';
import { clientTarget } from '../../lib/rpc/client.js';
import {
  BackupStage,
  Protection,
  Role,
  type GetStatusResponse,
} from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { errorOfStatus } from '../../lib/rpc/status-table.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine } from '../output.js';

const ANSWER_MS = 1_500;

/** What one node answered, or why it did not. */
export interface Answer {
  readonly address: string;
  readonly status: GetStatusResponse | null;
  readonly failure: string;
}

export const status: Command = {
  usage: ['status --connect ADDRESS[,ADDRESS]... [--json]'],
  description:
    'Asks every node for its role, epoch, protection and positions. Exit status 0 if one of them ' +
    'is primary, 7 if none is.',
  options: {
    connect: {
      type: 'string',
      value: 'A,B',
      help: 'addresses of the nodes, HOST:PORT or unix:PATH',
    },
    json: { type: 'boolean', help: 'one JSON object a line' },
  },
  async run(args: Arguments): Promise<number> {
    const addresses = args.list('connect') ?? [];
    if (addresses.length === 0) throw new LockstepError('USAGE', '--connect A,B is needed');
    const answers = await Promise.all(addresses.map(ask));
    const lines = args.flag('json') ? answers.map(jsonOf) : table(answers);
    process.stdout.write(`${lines.join('\n')}\n`);
    return answers.some((answer) => answer.status?.role === Role.PRIMARY) ? 0 : 7;
  },
};

export async function ask(address: string): Promise<Answer> {
  const { target, credentials, options } = clientTarget(address);
  const client = new Client(target, credentials, options);
  try {
    return { address, status: await askStatus(client, ANSWER_MS), failure: '' };
  } catch (error) {
    return { address, status: null, failure: errorOfStatus(error).message };
  } finally {
    client.close();
  }
}

export function roleName(role: Role): string {
  return nameOf(Role, role);
}

export function protectionName(protection: Protection): string {
  return nameOf(Protection, protection);
}

function nameOf(names: Readonly<Record<string, number | string>>, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return (found?.[0] ?? 'unknown').toLowerCase();
}

function jsonOf(answer: Answer): string {
  const { address, failure, status: found } = answer;
  if (found === null) return toJsonLine({ address, failure });
  return toJsonLine({
    ...found,
    address,
    role: roleName(found.role),
    protection: protectionName(found.protection),
    backups: found.backups.map((one) => ({ ...one, stage: nameOf(BackupStage, one.stage) })),
  });
}

const COLUMNS = [
  'ADDRESS',
  'ROLE',
  'PROTECTION',
  'EPOCH',
  'RECORDED',
  'ACKED',
  'APPLIED',
  'LAG',
  'LAG STEPS',
  'CHECKS',
  'BACKUPS',
] as const;

function table(answers: readonly Answer[]): string[] {
  return alignColumns([[...COLUMNS], ...answers.map(rowOf)]);
}

/** Columns as wide as their widest cell; a row of two cells, a complaint, counts for none. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const whole = rows.filter((row) => row.length > 2);
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const widths = whole.map((other) => other[column]?.length ?? 0);
        return cell.padEnd(Math.max(...widths));
      })
      .join('  ')
      .trimEnd(),
  );
}

function rowOf(answer: Answer): string[] {
  const { address, failure, status: found } = answer;
  if (found === null) return [address, `no answer: ${failure}`];
  return [
    address,
    roleName(found.role) + (found.stopped === '' ? '' : ` (${found.stopped})`),
    protectionName(found.protection),
    `${found.epoch}`,
    `${found.recordedSeq}`,
    `${found.ackedSeq}`,
    `${found.appliedSeq}`,
    `${(found.lagSeconds * 1000).toFixed(1)} ms`,
    `${found.lagSteps}`,
    `${found.stateChecks}`,
    backupsOf(found),
  ];
}

/** How many backups a primary has in which stage. */
function backupsOf({ role, backups }: GetStatusResponse): string {
  if (role !== Role.PRIMARY) return '';
  const counts = new Map<string, number>();
  for (const { stage } of backups) {
    const name = nameOf(BackupStage, stage);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const parts = [...counts].map(([name, count]) => `${count} ${name}`);
  return parts.length === 0 ? 'none' : parts.join(', ');
}
