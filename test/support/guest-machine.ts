/**
 * The real machine in this thread, driven by a clock that does not exist: a parked hart wakes at
 * once, at the time its timer asks for, and entropy comes from a counter. So a whole guest runs
 * at full speed and the same way every time.
 *
 * For tests of guests. What the processes do around a machine (slices, log, wall clock) is not
 * here.
 */

import { present } from '../../lib/base/assert.js';
import type { OutputStream } from '../../lib/event/event.js';
import { DEFAULT_RATE, type MachineImages } from '../../lib/machine/config.js';
import type { Machine, MachineStop } from '../../lib/machine/machine.js';
import { createRiscvMachine } from '../../lib/machine/riscv-machine.js';

const HART = 0;
/** Steps between two looks at the output. */
const SLICE_STEPS = 1_000_000n;

export interface GuestOptions {
  readonly images: Partial<MachineImages>;
  readonly memoryBytes: number;
  readonly append?: string;
}

export class GuestMachine {
  readonly machine: Machine;
  private readonly output = new Map<OutputStream, string>();
  private typed: Uint8Array = new Uint8Array(0);
  private random = 1;

  constructor({ images, memoryBytes, append }: GuestOptions) {
    this.machine = createRiscvMachine(
      {
        memoryBytes,
        harts: 1,
        schedule: 'turns',
        append: append ?? '',
        initialRate: DEFAULT_RATE,
        rtcStartSeconds: 1_700_000_000n,
        rngSeed: new Uint8Array(32).fill(7),
        network: null,
        disks: [],
      },
      { bios: null, kernel: null, initrd: null, ...images },
    );
  }

  /** What the guest has written on its UART. */
  get text(): string {
    return this.output.get('uart') ?? '';
  }

  /** Types text on the UART; the guest gets it as fast as it takes it. */
  type(text: string): void {
    this.typed = Buffer.concat([this.typed, Buffer.from(text, 'latin1')]);
  }

  /** Runs until the text matches; throws with the output if the guest stops or `limit` passes. */
  runToText(pattern: RegExp, limit: bigint): RegExpExecArray {
    let match: RegExpExecArray | null = null;
    this.runWhile(limit, () => (match = pattern.exec(this.text)) === null);
    if (match === null) throw new Error(`no ${pattern} in the guest's output:\n${this.text}`);
    return match;
  }

  /** Runs until the guest has stopped the machine; throws with the output after `limit` steps. */
  runToStop(limit: bigint): MachineStop {
    this.runWhile(limit, () => true);
    const stop = this.machine.stopped();
    if (stop === null) throw new Error(`the guest still runs:\n${this.text}`);
    return stop;
  }

  /** Runs for `count` steps, or until the guest has stopped the machine. */
  runSteps(count: bigint): void {
    this.runWhile(count, () => true);
  }

  private runWhile(limit: bigint, goesOn: () => boolean): void {
    const { machine } = this;
    const end = machine.step(HART) + limit;
    for (;;) {
      this.collect();
      if (!goesOn() || machine.stopped() !== null) return;
      const step = machine.step(HART);
      if (step >= end) return;
      this.feed(step);
      const target = step + SLICE_STEPS < end ? step + SLICE_STEPS : end;
      const result = machine.runUntil({ hart: HART, step: target });
      if (result.reason === 'parked') this.wake(result.deadline);
    }
  }

  private feed(step: bigint): void {
    const space = Math.min(this.machine.inputSpace('uart'), this.typed.length);
    if (space > 0) {
      const bytes = this.typed.subarray(0, space);
      this.typed = this.typed.subarray(space);
      const source = { stream: 'uart', client: 0n, sequence: 0n } as const;
      this.machine.apply({ kind: 'console-input', hart: HART, step, ...source, bytes });
    }
    const wanted = this.machine.entropyWanted();
    if (wanted > 0) {
      const bytes = Uint8Array.from(
        { length: wanted },
        () => (this.random = (this.random * 5 + 3) & 0xff),
      );
      this.machine.apply({ kind: 'entropy', hart: HART, step, bytes });
    }
  }

  /** Input that waits wakes the hart by itself; otherwise time leaps to the deadline. */
  private wake(deadline: bigint | null): void {
    const { machine } = this;
    if (this.typed.length > 0 || machine.entropyWanted() > 0) return this.feedParked();
    const time = present(deadline, 'a deadline: the guest waits for nothing and would for ever');
    machine.apply({ kind: 'wake', hart: HART, step: machine.step(HART), time });
  }

  private feedParked(): void {
    const { machine } = this;
    this.feed(machine.step(HART));
    if (machine.isParked(HART)) {
      machine.apply({
        kind: 'wake',
        hart: HART,
        step: machine.step(HART),
        time: machine.time(HART),
      });
    }
  }

  private collect(): void {
    for (const { stream, bytes } of this.machine.takeOutput()) {
      this.output.set(
        stream,
        (this.output.get(stream) ?? '') + Buffer.from(bytes).toString('latin1'),
      );
    }
    this.machine.takeInterrupts();
  }
}
