/**
 * `npm run campaign:determinism -- [replay] [edit] [flip]`: the long form of the tests of replay.
 *
 *   replay   the recorded boot of Debian, whole, under every condition
 *   edit     several events of each kind deleted, and moved by a step, through the real command
 *   flip     bits anywhere in words and written pages, at any step, from a seed: each is found by
 *            the next check of pages, or leaves no trace in anything that is checked
 *
 * Prints a line for each, and exits with 1 if anything did not hold.
 */

import { join } from 'node:path';
import { present } from '../../lib/base/assert.js';
import { EXIT_STATUS, LockstepError } from '../../lib/base/error.js';
import type { LogEntry, StateHashEvent } from '../../lib/event/event.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';
import type { Arguments, Command } from '../../tools/command.js';
import { runCampaign } from '../support/campaign-main.js';
import { openRecording, type DebianRecording } from '../support/debian-recording.js';
import {
  isInOrder,
  REPLAY_CONDITIONS,
  replayUnder,
  upToCheckAfter,
} from '../support/debian-replay.js';
import { cachedDebianImage } from '../support/debian.js';
import { writeLog } from '../support/edited-log.js';
import { lockstep } from '../support/lockstep-process.js';
import { Random } from '../support/random.js';
import { edits, imagesOf, replayWithFault } from '../support/replay-faults.js';
import { makeTemporaryFolder, removeTemporaryFolder } from '../support/temporary-folder.js';

const PARTS = ['replay', 'edit', 'flip'] as const;
/** Events of each kind that are deleted and moved: at the beginning, in the middle, at the end. */
const EDIT_PLACES = [0, 0.5, 0.95] as const;
const CHECKS_AFTER = 3;
/** Flips happen in so many first intervals between checks of pages. */
const FLIP_INTERVALS = 4;
const PAGE_BITS = 4096 * 8;

const command: Command = {
  usage: ['campaign:determinism -- [replay] [edit] [flip] [--flips N] [--seed S]'],
  description: 'Replays a recorded boot of Debian under stress, edited, and with flipped bits.',
  options: {
    flips: { type: 'string', value: 'N', help: 'bits to flip (40)' },
    seed: { type: 'string', value: 'S', help: 'of the places and moments (1)' },
  },
  positionals: { min: 0, max: PARTS.length },
  run: campaign,
};

/** One line of the report: what was done, and whether it held. */
interface Outcome {
  readonly held: boolean;
  readonly text: string;
}

async function campaign(args: Arguments): Promise<number> {
  const wanted: readonly string[] = args.positionals.length > 0 ? args.positionals : PARTS;
  const unknown = wanted.find((name) => !(PARTS as readonly string[]).includes(name));
  if (unknown !== undefined) {
    throw new LockstepError('USAGE', `"${unknown}" is none of ${PARTS.join(', ')}`);
  }
  const flips = args.integer('flips', 1, 1_000_000) ?? 40;
  const seed = args.integer('seed', 0, 0xffff_ffff) ?? 1;
  process.stdout.write('opening the recorded boot, or recording one\n');
  const recording = await openRecording(await cachedDebianImage());
  const counts = { held: 0, failed: 0 };
  const tell = ({ held, text }: Outcome): void => {
    counts[held ? 'held' : 'failed'] += 1;
    process.stdout.write(`${held ? 'held' : 'NOT KEPT'}  ${text}\n`);
  };
  if (wanted.includes('replay')) await replayAll(recording, tell);
  if (wanted.includes('edit')) await editAll(recording, tell);
  if (wanted.includes('flip')) await flipAll(recording, { flips, seed }, tell);
  process.stdout.write(`${counts.held} held, ${counts.failed} not kept\n`);
  return counts.failed === 0 ? 0 : 1;
}

type Tell = (outcome: Outcome) => void;

async function replayAll(recording: DebianRecording, tell: Tell): Promise<void> {
  for (const condition of REPLAY_CONDITIONS) {
    const { name, longSteps } = condition;
    const replay = await replayUnder(condition, recording.directory, longSteps);
    const isEqual = longSteps !== null || replay.stateLine === recording.stateLine;
    const held = replay.status === 0 && replay.checks > 0 && isEqual;
    const part = longSteps === null ? '' : `, to step ${longSteps}`;
    const detail = held ? `${replay.checks} checks equal` : replay.errors.trim();
    tell({ held, text: `replay (${name}${part}): ${detail}, ${replay.seconds.toFixed(1)} s` });
  }
}

async function editAll({ log }: DebianRecording, tell: Tell): Promise<void> {
  const { meta, entries } = log;
  const folder = makeTemporaryFolder('edits');
  try {
    for (const seq of editedEntries(entries)) {
      const index = Number(seq - 1n);
      const { kind } = present(entries[index], `entry ${seq}`).event;
      const part = upToCheckAfter(entries, seq, CHECKS_AFTER);
      const writable = edits(part, index).filter(([, events]) => isInOrder(events));
      for (const [edit, events] of writable) {
        const directory = join(folder, `${seq} ${edit}`);
        await writeLog(directory, meta, events);
        const { status, stderr } = await lockstep(['replay', '--log', directory]);
        const held = status === EXIT_STATUS.DIVERGED || status === EXIT_STATUS.BAD_LOG;
        tell({ held, text: `${kind} ${seq} ${edit}: ${status} ${stderr.trim()}` });
      }
    }
  } finally {
    removeTemporaryFolder(folder);
  }
}

/** Entries of every kind that a check follows. */
function editedEntries(entries: readonly LogEntry[]): readonly bigint[] {
  const lastCheck = entries.findLastIndex(({ event }) => event.kind === 'state-hash');
  const byKind = new Map<string, bigint[]>();
  for (const { seq, event } of entries.slice(0, lastCheck)) {
    const known = byKind.get(event.kind);
    if (known === undefined) byKind.set(event.kind, [seq]);
    else known.push(seq);
  }
  return [...byKind.values()].flatMap((all) => [
    ...new Set(EDIT_PLACES.map((place) => present(all[Math.floor(place * all.length)], 'entry'))),
  ]);
}

interface FlipPlan {
  readonly flips: number;
  readonly seed: number;
}

async function flipAll({ log }: DebianRecording, plan: FlipPlan, tell: Tell): Promise<void> {
  const random = new Random(plan.seed);
  const names = wordNames(log);
  const isPageCheck = ({ event }: LogEntry): boolean =>
    event.kind === 'state-hash' && event.pages !== null;
  const checks = log.entries.filter(isPageCheck).slice(0, FLIP_INTERVALS + 1);
  for (let flip = 0; flip < plan.flips; flip++) {
    const at = 1 + random.below(checks.length - 1);
    const before = checkOf(checks[at - 1]);
    const check = checkOf(checks[at]);
    const step = before.step + 1n + (random.u64() % (check.step - before.step - 1n));
    const pages = check.pages ?? [];
    const [page] = present(pages[random.below(pages.length)], 'a written page');
    const fault =
      random.below(2) === 0
        ? `${step} word ${names[random.below(names.length)] ?? ''} ${random.below(64)}`
        : `${step} page ${page} ${random.below(PAGE_BITS)}`;
    const entries = log.entries.filter(({ seq }) => seq <= (checks[at]?.seq ?? 0n));
    tell(await flipOne({ meta: log.meta, entries }, fault, step));
  }
}

/** A flip is found, or everything that a check of pages compares is as if it had not been. */
async function flipOne(log: DebianRecording['log'], fault: string, step: bigint): Promise<Outcome> {
  try {
    const error = await replayWithFault(log, fault);
    if (error === null) return { held: true, text: `flip ${fault}: leaves no trace` };
    const held = error.code === 'DIVERGED';
    const later = BigInt(error.fields['step'] ?? 0) - step;
    return { held, text: `flip ${fault}: found after ${later} steps: ${error.message}` };
  } catch (error) {
    // The worker ends itself where its own invariants break; such a replica is never promoted.
    const message = error instanceof Error ? error.message : String(error);
    return { held: true, text: `flip ${fault}: the replica refuses to go on: ${message}` };
  }
}

function checkOf(entry: LogEntry | undefined): StateHashEvent {
  const event = present(entry, 'a check').event;
  if (event.kind !== 'state-hash') throw new Error(`a ${event.kind} among the checks`);
  return event;
}

function wordNames({ meta }: DebianRecording['log']): readonly string[] {
  const machine = createRiscvMachine(meta.config, imagesOf(meta));
  return [...machine.words().keys()].map((index) => machine.wordName(index));
}

await runCampaign(command);
