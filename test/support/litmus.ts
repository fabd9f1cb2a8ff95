/**
 * Litmus tests: small programs of several harts that race on two variables, round after round, and
 * count what each round came to. Sequential consistency forbids some outcomes; nobody promises
 * which of the others come, only that a replay has the same ones.
 *
 * Every hart waits for the others before and behind each round, delays itself by a number that
 * differs from round to round, and leaves its result, 0 to 3, in a4. Hart 0 counts the outcome: the
 * results of all harts, two bits each.
 */

import type { LogEntry } from '../../lib/event/event.js';
import type { EngineOptions } from '../../lib/machine/engine.js';
import type { Machine } from '../../lib/machine/machine.js';
import { chaosThreads } from './chaos-threads.js';
import {
  ending,
  readDouble,
  recordParallel,
  replayParallel,
  type ParallelOptions,
} from './parallel-guest.js';
import type { Random } from './random.js';

const BARRIER = 0x8010_1000;
const RESULTS = 0x8010_2000;
const HISTOGRAM = 0x8010_3000;
const X = 0x8010_4000;
/** On the page of X, or on its own. */
const NEAR_Y = X + 64;
const FAR_Y = X + 4096;
/** Counts of the tests that count. */
const COUNT = 0x8010_6000;

export interface Litmus {
  readonly name: string;
  /** What each hart does in a round; s2 is the address of X, s3 that of Y, both zero before. */
  readonly bodies: readonly string[];
  /** True for an outcome that sequential consistency allows: the results by hart. */
  readonly allows: (results: readonly number[]) => boolean;
  /** Whether different outcomes are to be seen. */
  readonly isRacy: boolean;
  /** What COUNT holds in the end, after so many rounds; for tests that count. */
  readonly count?: (rounds: number) => number;
}

const all = (): boolean => true;

export const LITMUS: readonly Litmus[] = [
  {
    name: 'store buffering',
    bodies: ['sd s6,0(s2)\n ld a4,0(s3)', 'sd s6,0(s3)\n ld a4,0(s2)'],
    allows: ([a, b]) => a === 1 || b === 1,
    isRacy: true,
  },
  {
    name: 'message passing',
    bodies: ['sd s6,0(s2)\n sd s6,0(s3)', 'ld a5,0(s3)\n ld a4,0(s2)\n slli a5,a5,1\n or a4,a4,a5'],
    allows: ([, seen]) => seen !== 2,
    isRacy: true,
  },
  {
    name: 'load buffering',
    bodies: ['ld a4,0(s2)\n sd s6,0(s3)', 'ld a4,0(s3)\n sd s6,0(s2)'],
    allows: ([a, b]) => a === 0 || b === 0,
    isRacy: true,
  },
  {
    name: 'IRIW',
    bodies: [
      'sd s6,0(s2)',
      'sd s6,0(s3)',
      'ld a5,0(s2)\n ld a4,0(s3)\n slli a5,a5,1\n or a4,a4,a5',
      'ld a5,0(s3)\n ld a4,0(s2)\n slli a5,a5,1\n or a4,a4,a5',
    ],
    allows: ([, , first, second]) => !(first === 2 && second === 2),
    isRacy: true,
  },
  {
    name: 'LR/SC counter',
    bodies: Array<string>(2).fill(`
      li a6,${COUNT}
    retry:
      lr.d a5,(a6)
      addi a5,a5,1
      sc.d a7,a5,(a6)
      bnez a7,retry`),
    allows: all,
    isRacy: false,
    count: (rounds) => 2 * rounds,
  },
  {
    name: 'AMO counter',
    bodies: Array<string>(4).fill(`li a6,${COUNT}\n amoadd.d zero,s6,(a6)`),
    allows: all,
    isRacy: false,
    count: (rounds) => 4 * rounds,
  },
  {
    name: 'spin lock',
    bodies: Array<string>(2).fill(`
      li a6,${COUNT}
    taken:
      amoswap.d a7,s6,(s2)
      bnez a7,taken
      ld a5,0(a6)
      addi a5,a5,1
      sd a5,0(a6)
      sd zero,0(s2)`),
    allows: all,
    isRacy: false,
    count: (rounds) => 2 * rounds,
  },
  {
    name: 'code of another hart',
    // Hart 0 writes "addi a4,zero,N" for a new N each round; hart 1 waits for word of it.
    bodies: [
      `
      andi a5,s1,1
      slli a5,a5,20
      li a6,0x00100713
      add a5,a5,a6
      la a6,patched
      sw a5,0(a6)
      fence rw,rw
      sd s6,0(s2)
      mv a4,zero`,
      `
    unsaid:
      ld a5,0(s2)
      beqz a5,unsaid
      fence.i
      call patched
      andi a5,s1,1
      addi a5,a5,1
      sub a4,a4,a5
      j passed
      .align 8
    patched:
      addi a4,zero,0
      ret
    passed:`,
    ],
    allows: ([, wrong]) => wrong === 0,
    isRacy: false,
  },
];

/** The text of a test of `rounds` rounds. */
export function litmusProgram(
  { bodies }: Litmus,
  plan: { readonly rounds: number; readonly samePage: boolean; readonly seed: number },
): string {
  const harts = bodies.length;
  const body = (text: string, hart: number): string => {
    // Each hart has its own copy, with labels of its own but for the one that is shared.
    const labels = [...text.matchAll(/^\s*(\w+):/gm)].map(([, label]) => label ?? '');
    return labels
      .filter((label) => label !== 'patched')
      .reduce(
        (code, label) => code.replaceAll(new RegExp(`\\b${label}\\b`, 'g'), `${label}${hart}`),
        text,
      );
  };
  const barrier = (name: string): string => `
      li t0,${BARRIER}
      li t1,1
      amoadd.d zero,t1,(t0)
      addi s5,s5,${harts}
    ${name}:
      ld t1,0(t0)
      blt t1,s5,${name}`;
  return `
      csrr s0,mhartid
      li s1,${plan.rounds}
      li s2,${X}
      li s3,${plan.samePage ? NEAR_Y : FAR_Y}
      li s4,${2 * plan.seed + 1}
      li s5,0
      li s6,1
      addi s7,s0,3
    round:
      ${barrier('before')}
      mul s4,s4,s7
      addi s4,s4,77
      srli t0,s4,9
      andi t0,t0,127
    delay:
      addi t0,t0,-1
      blt zero,t0,delay
      li a4,0
      ${bodies.map((_, hart) => `li t0,${hart}\n beq s0,t0,body${hart}`).join('\n')}
      ${bodies.map((text, hart) => `body${hart}:\n ${body(text, hart)}\n j told`).join('\n')}
    told:
      li t0,${RESULTS}
      slli t1,s0,3
      add t0,t0,t1
      sd a4,0(t0)
      ${barrier('behind')}
      bnez s0,next
      li t0,${RESULTS}
      li t1,0
      ${bodies.map((_, hart) => `ld t2,${8 * hart}(t0)\n slli t2,t2,${2 * hart}\n or t1,t1,t2`).join('\n')}
      slli t1,t1,3
      li t0,${HISTOGRAM}
      add t0,t0,t1
      ld t2,0(t0)
      addi t2,t2,1
      sd t2,0(t0)
      sd zero,0(s2)
      sd zero,0(s3)
    next:
      addi s1,s1,-1
      bnez s1,round
      ${ending(harts)}`;
}

export interface LitmusRun {
  readonly histogram: ReadonlyMap<string, number>;
  readonly steals: number;
  /** What is wrong, or null. */
  readonly fault: string | null;
}

/** Records one run, judges it, and replays it. */
export interface LitmusPlan {
  readonly rounds: number;
  readonly samePage: boolean;
  readonly random: Random;
  /** Whether the threads are held up at random, in the recording and in the replay. */
  readonly isChaotic?: boolean;
}

export function runLitmus(litmus: Litmus, plan: LitmusPlan, engine: EngineOptions): LitmusRun {
  const { rounds, samePage, random, isChaotic = false } = plan;
  const program = litmusProgram(litmus, { rounds, samePage, seed: random.below(1 << 20) });
  const harts = litmus.bodies.length;
  const options = (): ParallelOptions => {
    const threads = isChaotic ? { threads: chaosThreads(random.below(1 << 30), harts) } : {};
    return { harts, engine, ...threads };
  };
  const { entries, machine, hash } = recordParallel(program, options());
  const histogram = readHistogram(litmus, machine);
  const steals = entries.filter(({ event }) => event.kind === 'steal').length;
  const fault =
    judge(litmus, { histogram, rounds, counted: readDouble(machine, COUNT) }) ??
    replayFault(program, entries, { options: options(), hash });
  return { histogram, steals, fault };
}

function readHistogram({ bodies }: Litmus, machine: Machine): Map<string, number> {
  const histogram = new Map<string, number>();
  for (let outcome = 0; outcome < 4 ** bodies.length; outcome++) {
    const count = Number(readDouble(machine, HISTOGRAM + outcome * 8));
    const results = bodies.map((_, hart) => (outcome >> (2 * hart)) & 3);
    if (count > 0) histogram.set(results.join(''), count);
  }
  return histogram;
}

function judge(
  litmus: Litmus,
  run: {
    readonly histogram: ReadonlyMap<string, number>;
    readonly rounds: number;
    readonly counted: bigint;
  },
): string | null {
  const total = [...run.histogram.values()].reduce((sum, count) => sum + count, 0);
  if (total !== run.rounds) return `${total} outcomes of ${run.rounds} rounds`;
  for (const outcome of run.histogram.keys()) {
    if (!litmus.allows(outcome.split('').map(Number))) return `outcome ${outcome}`;
  }
  const wanted = litmus.count?.(run.rounds);
  if (wanted !== undefined && run.counted !== BigInt(wanted)) {
    return `counted ${run.counted}, not ${wanted}`;
  }
  return null;
}

function replayFault(
  program: string,
  entries: readonly LogEntry[],
  run: { readonly options: ParallelOptions; readonly hash: bigint },
): string | null {
  try {
    const hash = replayParallel(program, entries, run.options);
    return hash === run.hash ? null : `replayed to another state`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
