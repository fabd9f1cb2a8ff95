/**
 * The logs on disk of a chain of kills, replayed by the real command, each in bounded time, and
 * together the whole history without a gap.
 *
 * Every node's log begins where its owner joined (`start.snapshot`, or the machine at power-on) and
 * ends where its owner died. Number the nodes in the order of their reigns; P(n) is the point at
 * which node n took over, where it logs a check.
 *
 *      log of node 1   start ------------ P(2) | not replicated
 *      log of node 2         start ------ P(2) ------------- P(3) | not replicated
 *      log of node 3                            start ------ P(3) ------- ...
 *
 * After kill n two replays are compared:
 *
 *   1. the dead node n, from the start of its log to P(n+1), and there with the check that node
 *      n+1 logged in its own: words and history of events as the promoted machine had them
 *   2. node n+1 by itself, from the start of its own log through the same check
 *
 * Both must be in one state at P(n+1), by a hash over all words and all pages. The first replay
 * shows that log n leads from P(n) to P(n+1), since P(n) lies in it. The second shows that log n+1
 * passes P(n+1) in the very state that log n led to, whatever snapshot it began from. So each
 * stretch from P(n) to P(n+1) begins in the state that the stretch before it was seen to end in,
 * from the first start on, and a wrong page in a snapshot that no later check looks at shows too.
 * At the end the last two logs, which no kill joins, are replayed to their ends and compared where
 * the shorter one ends.
 *
 * A replay covers two reigns at most, however long the chain is.
 */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { NodeProcess } from '../../tools/demo/node-process.js';
import { Broken, insist, type Takeover } from './campaign-checks.js';
import { LOCKSTEP, type Fleet } from './campaign-fleet.js';

const execute = promisify(execFile);
const REPLAY_LIMIT_MS = 300_000;

/** After a kill: both logs lead to the point of the takeover, in one state. Errors: Broken. */
export async function checkLogs(
  fleet: Fleet,
  dead: NodeProcess,
  promoted: NodeProcess,
  takeover: Takeover,
): Promise<void> {
  const { seq, checkSeq } = takeover;
  const to = ['--to-seq', `${checkSeq}`];
  const logs = ['--log', fleet.log(dead), '--then', fleet.log(promoted)];
  const theirs = await replay("the dead primary's log", [...logs, ...to]);
  insist(
    theirs.seq === checkSeq,
    `the dead primary's log was replayed to entry ${theirs.seq}, the check is ${checkSeq}`,
  );
  insist(
    theirs.departsAt === `${seq}`,
    `the logs part at entry ${theirs.departsAt}, the takeover was at ${seq}`,
  );
  const own = await replay("the new primary's log", ['--log', fleet.log(promoted), ...to]);
  insistOnOneState('at the takeover', theirs, own);
}

/** At the end, when both nodes have been killed: what no takeover has looked at. Errors: Broken. */
export async function checkLastLogs(
  fleet: Fleet,
  primary: NodeProcess,
  backup: NodeProcess,
): Promise<void> {
  const follower = await replay("the last backup's log", ['--log', fleet.log(backup)]);
  const log = ['--log', fleet.log(primary)];
  const there = await replay("the last primary's log", [...log, '--to-seq', `${follower.seq}`]);
  insistOnOneState("at the end of the last backup's log", there, follower);
  await replay("the last primary's log", log);
}

interface ReplayResult {
  readonly seq: bigint;
  readonly steps: string;
  /** Over all words and all pages. */
  readonly stateHash: string;
  /** Where the second of two logs parts from the first. */
  readonly departsAt: string;
}

function insistOnOneState(where: string, one: ReplayResult, other: ReplayResult): void {
  const [a, b] = [one, other].map(
    ({ seq, steps, stateHash }) => `entry ${seq}, step ${steps}, hash ${stateHash}`,
  );
  insist(a === b && one.stateHash !== '', `${where} one log leads to ${a}, the other to ${b}`);
}

/** Replays by the real command. */
async function replay(what: string, words: readonly string[]): Promise<ReplayResult> {
  const args = ['replay', ...words, '--json'];
  const result = await execute(process.execPath, [LOCKSTEP, ...args], {
    timeout: REPLAY_LIMIT_MS,
  }).catch((error: unknown) => {
    throw new Broken(`${what}: lockstep ${args.join(' ')}: ${String(error)}`);
  });
  const answer: unknown = JSON.parse(result.stdout);
  const field = (name: string): string =>
    typeof answer === 'object' && answer !== null ? String(Reflect.get(answer, name) ?? '') : '';
  return {
    seq: BigInt(field('seq')),
    steps: field('steps'),
    stateHash: field('stateHash'),
    departsAt: field('departsAt'),
  };
}
