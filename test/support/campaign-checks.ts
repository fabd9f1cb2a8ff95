/**
 * What must hold after a takeover, each as a function that throws with what does not; the logs
 * have campaign-logs.ts.
 *
 *   status    the new primary says what is true: primary, the new epoch, unprotected
 *   console   its history of the output is, byte for byte, what the client read
 */

import type { LockstepError } from '../../lib/base/error.js';
import { ConsoleSession } from '../../lib/node/console-session.js';
import { Protection, Role } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import type { CampaignClient } from './campaign-client.js';
import { statusOf } from './campaign-fleet.js';

/** A promise of the system that was not kept. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

export function insist(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Broken(promise);
}

/** Where and how a node took over, from its journal. */
export interface Takeover {
  /** Last entry of its predecessor that it had. */
  readonly seq: bigint;
  /** The check that it logged there. */
  readonly checkSeq: bigint;
  /** Time for the arbiter, and for the rest of the log, as the node measured it. */
  readonly arbitrateMs: number;
  readonly drainMs: number;
  /** From the end of the replay to the first entry of its own. */
  readonly goOnMs: number;
}

export async function takeoverOf(promoted: NodeProcess): Promise<Takeover> {
  const line = await promoted.heard('goes on');
  const at = (event: string): number =>
    Number(promoted.journal.find((one) => one.event === event)?.['seconds'] ?? 0) * 1000;
  const wonMs = at('arbitrating -> promoting');
  const promotedMs = at('promoting -> promoted');
  return {
    seq: BigInt(String(line['seq'])),
    checkSeq: BigInt(String(line['check'])),
    arbitrateMs: wonMs - at('protecting -> arbitrating'),
    drainMs: promotedMs - wonMs,
    goOnMs: at('goes on') - promotedMs,
  };
}

/** Before another backup is started. */
export async function checkStatus(promoted: NodeProcess, epoch: bigint): Promise<void> {
  const status = await statusOf(promoted);
  insist(status.role === Role.PRIMARY, `the promoted node says role ${status.role}`);
  insist(status.epoch === epoch, `it says epoch ${status.epoch}, it has won ${epoch}`);
  insist(status.promotions === 1, `it says ${status.promotions} promotions`);
  insist(
    status.protection === Protection.UNPROTECTED,
    `without a backup it says protection ${status.protection}`,
  );
}

/** The new primary's history against what the client read, as far back as both have it. */
export async function checkConsole(promoted: NodeProcess, client: CampaignClient): Promise<void> {
  const { start } = client.history();
  const end = client.offset;
  const read: Uint8Array[] = [];
  let length = 0n;
  let failure: LockstepError | null = null;
  const session = new ConsoleSession({
    addresses: [await promoted.address()],
    write: false,
    offset: start,
    events: {
      onOutput: (bytes) => {
        read.push(bytes);
        length += BigInt(bytes.length);
      },
      onFailure: (error) => {
        failure = error;
      },
    },
  });
  session.start();
  try {
    await until('the history of the console', () => failure !== null || start + length >= end);
  } finally {
    session.close();
  }
  insist(failure === null, `the history of the console: ${String(failure)}`);
  const theirs = Buffer.concat(read).subarray(0, Number(end - start));
  const ours = client.history();
  const mine = ours.bytes.subarray(Number(start - ours.start)).subarray(0, theirs.length);
  insist(theirs.equals(mine), `console bytes from ${start} to ${end} differ on the new primary`);
}
