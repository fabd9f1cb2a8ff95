/**
 * Records and replays a toy machine in one thread, with a clock that the test moves: the guest's
 * speed, the wall clock and the inputs come from a script, so that a run is the same every time.
 */

import type { LogEntry } from '../../lib/event/event.js';
import type { RecordPorts } from '../../lib/session/record-options.js';
import { RecordSession } from '../../lib/session/record-session.js';
import type { RecordedOutput, SliceStatus } from '../../lib/session/recorded.js';
import { ReplaySession } from '../../lib/session/replay-session.js';
import { freshState, type SessionState } from '../../lib/session/session-state.js';
import { TOY_CONFIG, TOY_IMAGES, ToyMachine, ascii } from './toy-machine.js';

export const CLIENT = 77n;
/** Speed that the test clock pretends: 20 M steps a second. */
const NS_PER_STEP = 50n;

export function newToy(): ToyMachine {
  return new ToyMachine(TOY_CONFIG, TOY_IMAGES);
}

export interface RecordingOptions {
  readonly machine?: ToyMachine;
  readonly state?: SessionState;
  readonly epoch?: bigint;
  readonly log?: boolean;
  readonly clock?: 'host' | 'steps';
  readonly untilStep?: bigint;
}

/** A recording session with everything it has said so far. */
export class Recording {
  readonly machine: ToyMachine;
  readonly session: RecordSession;
  readonly entries: LogEntry[] = [];
  readonly outputs: RecordedOutput[] = [];
  /** Client sequences by the entry that covers them. */
  readonly logged: { readonly sequence: bigint; readonly seq: bigint }[] = [];
  nowNs = 1_000_000_000n;
  private sent = 0n;

  constructor(options: RecordingOptions = {}) {
    this.machine = options.machine ?? newToy();
    let random = 1;
    const ports: RecordPorts = {
      monotonicNs: () => this.nowNs,
      randomBytes: (count) => new Uint8Array(count).fill(random++),
    };
    this.session = new RecordSession({
      machine: this.machine,
      ports,
      state: options.state ?? freshState(this.machine, 1n),
      epoch: options.epoch ?? 1n,
      clock: options.clock ?? 'host',
      initialRate: TOY_CONFIG.initialRate,
      log: options.log ?? true,
      ...(options.untilStep === undefined ? {} : { untilStep: options.untilStep }),
    });
  }

  send(text: string): void {
    const bytes = ascii(text);
    this.sent += BigInt(bytes.length);
    this.session.sendConsoleInput({ stream: 'uart', client: CLIENT, sequence: this.sent, bytes });
  }

  /** One slice; the clock moves by what it ran. */
  slice(): SliceStatus {
    const before = this.machine.step(0);
    const status = this.session.runSlice();
    this.nowNs += (this.machine.step(0) - before) * NS_PER_STEP;
    this.collect();
    return status;
  }

  collect(): void {
    const { entries, outputs, inputs } = this.session.takeRecorded();
    this.entries.push(...entries);
    this.outputs.push(...outputs);
    for (const { sequence, seq } of inputs) this.logged.push({ sequence, seq });
  }

  /** Runs until the machine is idle, or `ms` of the clock have passed, with timers in between. */
  runFor(ms: number): SliceStatus {
    const endNs = this.nowNs + BigInt(ms) * 1_000_000n;
    for (;;) {
      const status = this.slice();
      if (status.kind === 'stopped' || status.kind === 'reached') return status;
      if (this.nowNs >= endNs) return status;
      if (status.kind === 'parked') {
        const wakeNs = this.nowNs + (status.wakeInNs ?? endNs);
        this.nowNs = wakeNs < endNs ? wakeNs : endNs;
      }
    }
  }

  text(): string {
    return this.outputs
      .filter(({ stream }) => stream === 'uart')
      .map(({ bytes }) => String.fromCharCode(...bytes))
      .join('');
  }
}

/** A run with everything in it: input, entropy, timers, wakes, re-bases, long work, output. */
export function recordWorkload(): Recording {
  const recording = new Recording();
  for (let number = 1; number <= 20; number++) {
    recording.send(`${number * 37}\n`);
    recording.runFor(3);
  }
  recording.send('spin 40000000\n');
  recording.runFor(2200);
  recording.send('print 200\n');
  recording.runFor(30);
  recording.session.checkPages();
  recording.collect();
  return recording;
}

export interface Replayed {
  readonly machine: ToyMachine;
  readonly session: ReplaySession;
}

/** Replays all of `entries` on a new machine, in portions of `budget` steps. Throws DIVERGED. */
export function replayAll(entries: readonly LogEntry[], budget = 1_000_000n): Replayed {
  const machine = newToy();
  const first = entries[0]?.seq ?? 1n;
  const session = new ReplaySession({ machine, state: freshState(machine, first) });
  session.feed(entries);
  while (session.advance(budget) === 'behind') continue;
  return { machine, session };
}

/** The same entries with gapless numbers again, after one was left out or moved. */
export function renumber(entries: readonly LogEntry[]): LogEntry[] {
  const first = entries[0]?.seq ?? 1n;
  return entries.map(({ event }, index) => ({ seq: first + BigInt(index), event }));
}
