/**
 * What the machine itself remembers, beside harts and devices: how far its outputs went, which
 * console inputs it has seen, whether it stopped. Words like all others, so that a snapshot or a
 * comparison covers them.
 */

import { OUTPUT_STREAMS, type OutputStream } from '../event/event.js';
import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { MachineStop } from './machine.js';

/** Console clients remembered for deduplication; the one longest unheard of is forgotten. */
export const CONSOLE_CLIENTS = 64;

export const MACHINE_SPEC: WordBlockSpec = {
  name: 'machine',
  fields: [
    ['outputOffset', OUTPUT_STREAMS.length],
    /** 0 running, 1 power-off, 2 reset, 3 exit. */
    'stopCause',
    'stopStatus',
    /** Steps (of all harts) at which a device last went on with bounded work. */
    'resumedAt',
    /** The hart in turn, and its step at which the turn ends (`hart-turns.ts`). */
    'turnHart',
    'turnEnd',
    ['clientId', CONSOLE_CLIENTS],
    ['clientSequence', CONSOLE_CLIENTS],
    /** When each client was last heard, on a counter of inputs. */
    ['clientHeard', CONSOLE_CLIENTS],
    'inputs',
  ],
};

const CAUSES = ['power-off', 'reset', 'exit'] as const;

export class MachineState {
  private readonly block: WordBlock;
  private readonly offsets: number;
  private readonly clients: number;
  private readonly stopWord: number;

  constructor(block: WordBlock) {
    this.block = block;
    this.offsets = block.index('outputOffset');
    this.clients = block.index('clientId');
    this.stopWord = block.index('stopCause');
  }

  outputOffset(stream: OutputStream): bigint {
    return this.block.get(this.offsets + OUTPUT_STREAMS.indexOf(stream));
  }

  advanceOutput(stream: OutputStream, bytes: number): void {
    const at = this.offsets + OUTPUT_STREAMS.indexOf(stream);
    this.block.set(at, this.block.get(at) + BigInt(bytes));
  }

  get isStopped(): boolean {
    return this.block.halves[this.stopWord * 2] !== 0;
  }

  stop(): MachineStop | null {
    const cause = CAUSES[Number(this.block.get(this.stopWord)) - 1];
    if (cause === undefined) return null;
    return { cause, status: Number(this.block.get(this.block.index('stopStatus'))) };
  }

  setStop(stop: MachineStop): void {
    this.block.set(this.stopWord, BigInt(CAUSES.indexOf(stop.cause) + 1));
    this.block.set(this.block.index('stopStatus'), BigInt(stop.status >>> 0));
  }

  clearStop(): void {
    this.block.set(this.stopWord, 0n);
  }

  get resumedAt(): bigint {
    return this.block.get(this.block.index('resumedAt'));
  }

  set resumedAt(step: bigint) {
    this.block.set(this.block.index('resumedAt'), step);
  }

  get turnHart(): number {
    return Number(this.block.get(this.block.index('turnHart')));
  }

  get turnEnd(): bigint {
    return this.block.get(this.block.index('turnEnd'));
  }

  setTurn(hart: number, end: bigint): void {
    this.block.set(this.block.index('turnHart'), BigInt(hart));
    this.block.set(this.block.index('turnEnd'), end);
  }

  lastInputSequence(client: bigint): bigint {
    const slot = this.slotOf(client);
    return slot < 0 ? 0n : this.block.get(this.clients + CONSOLE_CLIENTS + slot);
  }

  noteInput(client: bigint, sequence: bigint): void {
    const counter = this.block.index('inputs');
    const now = this.block.get(counter) + 1n;
    this.block.set(counter, now);
    if (client === 0n) return;
    const known = this.slotOf(client);
    const slot = known >= 0 ? known : this.longestUnheard();
    this.block.set(this.clients + slot, client);
    this.block.set(this.clients + CONSOLE_CLIENTS + slot, sequence);
    this.block.set(this.clients + 2 * CONSOLE_CLIENTS + slot, now);
  }

  private slotOf(client: bigint): number {
    for (let slot = 0; slot < CONSOLE_CLIENTS; slot++) {
      if (client !== 0n && this.block.get(this.clients + slot) === client) return slot;
    }
    return -1;
  }

  private longestUnheard(): number {
    let best = 0;
    for (let slot = 1; slot < CONSOLE_CLIENTS; slot++) {
      const heard = this.block.get(this.clients + 2 * CONSOLE_CLIENTS + slot);
      if (heard < this.block.get(this.clients + 2 * CONSOLE_CLIENTS + best)) best = slot;
    }
    return best;
  }
}
