/**
 * The "sifive,test1" finisher: how a guest switches the machine off, resets it or ends with an
 * exit code. Linux reaches it through the syscon-poweroff and syscon-reboot nodes, OpenSBI
 * through its own driver, bare-metal programs by a plain store.
 *
 *   32-bit store at 0: 0x5555 power-off, 0x7777 reset, 0x3333 | code << 16 exit with `code`
 *
 * The device only says that the machine shall stop; the machine decides what that means.
 */

import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { MmioDevice } from './port.js';

const POWER_OFF = 0x5555n;
const RESET = 0x7777n;
const FAIL = 0x3333n;

export const SYSCON_SPEC: WordBlockSpec = { name: 'syscon', fields: ['last'] };

export interface SysconOptions {
  readonly base: number;
  /** `status` is 0 except for `exit`, where it is the guest's 16-bit code. */
  readonly stop: (cause: 'power-off' | 'reset' | 'exit', status: number) => void;
}

export class Syscon implements MmioDevice {
  readonly name = 'syscon';
  readonly base: number;
  readonly sizeBytes = 0x1000;
  private readonly block: WordBlock;
  private readonly options: SysconOptions;

  /** `block` has `SYSCON_SPEC`. */
  constructor(block: WordBlock, options: SysconOptions) {
    this.base = options.base;
    this.block = block;
    this.options = options;
  }

  reset(): void {
    this.block.set(0, 0n);
  }

  read(): bigint {
    return 0n;
  }

  write(offset: number, bytes: number, value: bigint): void {
    if (offset !== 0 || bytes < 2) return;
    const command = value & 0xffffn;
    const code = Number((value >> 16n) & 0xffffn);
    this.block.set(0, value & 0xffff_ffffn);
    if (command === POWER_OFF) this.options.stop('power-off', 0);
    else if (command === RESET) this.options.stop('reset', 0);
    else if (command === FAIL) this.options.stop('exit', code);
  }
}
