/**
 * `lockstep log verify`: is every byte of a log sound, and which history does it hold?
 *
 * It trusts nothing but the reader, which verifies all that it hands out; that the events replay
 * to the hashes among them is for `lockstep replay` to find.
 */

import { LockstepError, EXIT_STATUS } from '../../lib/base/error.js';
import { LogReader } from '../../lib/host/log-store/reader.js';
import { toHex } from '../../lib/host/log-store/sha256.js';
import type { Arguments, Command } from '../command.js';
import { toJsonLine } from '../output.js';

export const logVerify: Command = {
  usage: ['log verify DIR|FILE [--json]'],
  description:
    'Reads the whole log and checks format, machine, CRCs, sequence numbers, epochs and the hash ' +
    'chain. Prints the head of the chain: two logs with equal heads hold the same history. A torn ' +
    'tail, which a crash leaves, is told but is no damage. Damage gives exit status 4 and the ' +
    'file, offset and sequence number where the sound part ends.',
  options: {
    json: { type: 'boolean', help: 'print one JSON object, also for a damaged log' },
  },
  positionals: { min: 1, max: 1 },
  run: verify,
};

function verify(args: Arguments): Promise<number> {
  const [path = ''] = args.positionals;
  const json = args.flag('json');
  try {
    const sound = { sound: true, path, ...examine(path) };
    process.stdout.write(json ? `${toJsonLine(sound)}\n` : describe(sound));
    return Promise.resolve(0);
  } catch (error) {
    if (!json || !(error instanceof LockstepError) || error.code !== 'BAD_LOG') throw error;
    const damaged = { sound: false, path, reason: error.message, ...error.fields };
    process.stdout.write(`${toJsonLine(damaged)}\n`);
    return Promise.resolve(EXIT_STATUS.BAD_LOG);
  }
}

interface Findings {
  readonly batches: number;
  readonly entries: number;
  /** 0 for an empty log. */
  readonly firstSeq: bigint;
  readonly lastSeq: bigint;
  readonly epochs: readonly bigint[];
  readonly tornBytes: number;
  readonly head: string;
}

function examine(path: string): Findings {
  const epochs = new Set<bigint>();
  let batches = 0;
  let entries = 0;
  let firstSeq = 0n;
  const iterator = LogReader.open(path).batches();
  for (let step = iterator.next(); ; step = iterator.next()) {
    if (step.done === true) {
      const { nextSeq, hash, tornBytes } = step.value;
      const lastSeq = batches === 0 ? 0n : nextSeq - 1n;
      const head = toHex(hash);
      return { batches, entries, firstSeq, lastSeq, epochs: [...epochs], tornBytes, head };
    }
    const { batch } = step.value;
    if (batches === 0) firstSeq = batch.firstSeq;
    batches += 1;
    entries += batch.entries.length;
    epochs.add(batch.epoch);
  }
}

function describe(findings: Findings & { readonly path: string }): string {
  const { path, entries, batches, firstSeq, lastSeq, epochs, tornBytes, head } = findings;
  const torn = tornBytes === 0 ? 'none' : `${tornBytes} bytes`;
  return [
    `${path}: sound`,
    `entries     ${entries} (${firstSeq}..${lastSeq}) in ${batches} batches`,
    `epochs      ${epochs.length === 0 ? 'none' : epochs.join(', ')}`,
    `torn tail   ${torn}`,
    `chain head  ${head}`,
    '',
  ].join('\n');
}
