/**
 * The 16550A UART of QEMU's virt, byte-wide registers, no divisor timing.
 *
 * Transmission takes no virtual time: a byte written to THR has left by the next instruction. The
 * receive side is a ring of 4096 bytes, of which the guest sees the first 16 as the chip's FIFO:
 * the rest waits as if on the wire, held back by flow control, so a FIFO reset loses at most 16
 * bytes and a host may hand in a paste as one event.
 *
 * Interrupt sources, by priority: receiver line status, received data (below the trigger level it
 * is reported as a character timeout, at once), transmitter empty. The last is latched: set when
 * THRI becomes enabled and when a byte has left, cleared by reading it in IIR.
 */

import type { WordBlock, WordBlockSpec } from '../memory/word-block.js';
import type { ConsoleInput, InterruptLine, MmioDevice, OutputPort } from './port.js';

/** Bytes that may wait on the receive side. */
export const UART_INPUT_BYTES = 4096;
const CHIP_FIFO_BYTES = 16;

export const UART_SPEC: WordBlockSpec = {
  name: 'uart',
  fields: [
    'ier',
    'fcr',
    'lcr',
    'mcr',
    'scr',
    'divisor',
    'msrDelta',
    'overrun',
    'transmitLatch',
    'inputHead',
    'inputCount',
    ['input', UART_INPUT_BYTES / 8],
  ],
};

const IER_RECEIVE = 1;
const IER_TRANSMIT = 2;
const IER_LINE_STATUS = 4;
const IER_MODEM = 8;
const FCR_ENABLE = 1;
const FCR_CLEAR_RECEIVE = 2;
const LCR_DLAB = 0x80;
const MCR_LOOPBACK = 0x10;
const LSR_DATA_READY = 0x01;
const LSR_OVERRUN = 0x02;
const LSR_TRANSMITTER_EMPTY = 0x60;
const IIR_NONE = 0x01;
const IIR_LINE_STATUS = 0x06;
const IIR_RECEIVE = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_TRANSMIT = 0x02;
const IIR_MODEM = 0x00;
const IIR_FIFO_ON = 0xc0;
/** Carrier, data set ready and clear to send: what is plugged in is always there. */
const MSR_CONNECTED = 0xb0;
const TRIGGER_BYTES = [1, 4, 8, 14] as const;

export interface UartOptions {
  readonly base: number;
  readonly interrupt: InterruptLine;
  readonly output: OutputPort;
}

export class Uart implements MmioDevice, ConsoleInput {
  readonly name = 'uart';
  readonly stream = 'uart';
  readonly base: number;
  readonly sizeBytes = 0x100;
  private readonly block: WordBlock;
  private readonly options: UartOptions;
  private readonly input: number;

  /** `block` has `UART_SPEC`. */
  constructor(block: WordBlock, options: UartOptions) {
    this.base = options.base;
    this.block = block;
    this.options = options;
    this.input = block.index('input') * 8;
  }

  /** State at power-on: interrupts off, nothing received. */
  reset(): void {
    this.block.bytes.fill(0);
    this.put('divisor', 12);
    this.drive();
  }

  /** Bytes that `receive` takes now without loss. */
  inputSpace(): number {
    return UART_INPUT_BYTES - this.waiting();
  }

  /** Bytes in the input ring; words of a damaged snapshot can't make it more than the ring. */
  private waiting(): number {
    return Math.min(this.get('inputCount'), UART_INPUT_BYTES);
  }

  /** Bytes from outside; those beyond `inputSpace()` are lost and the guest sees an overrun. */
  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.push(byte);
    this.drive();
  }

  read(offset: number, bytes: number): bigint {
    return bytes > 8 ? 0n : BigInt(this.readByte(offset) & 0xff);
  }

  write(offset: number, _bytes: number, value: bigint): void {
    this.writeByte(offset, Number(value & 0xffn));
  }

  private readByte(offset: number): number {
    const divisorAccess = (this.get('lcr') & LCR_DLAB) !== 0;
    switch (offset) {
      case 0:
        return divisorAccess ? this.get('divisor') & 0xff : this.pop();
      case 1:
        return divisorAccess ? this.get('divisor') >> 8 : this.get('ier');
      case 2:
        return this.readInterruptId();
      case 3:
        return this.get('lcr');
      case 4:
        return this.get('mcr');
      case 5:
        return this.readLineStatus();
      case 6:
        return this.readModemStatus();
      case 7:
        return this.get('scr');
      default:
        return 0;
    }
  }

  private writeByte(offset: number, value: number): void {
    const divisorAccess = (this.get('lcr') & LCR_DLAB) !== 0;
    const divisor = this.get('divisor');
    switch (offset) {
      case 0:
        if (divisorAccess) this.put('divisor', (divisor & 0xff00) | value);
        else this.transmit(value);
        break;
      case 1:
        if (divisorAccess) this.put('divisor', (divisor & 0xff) | (value << 8));
        else this.writeInterruptEnable(value & 0x0f);
        break;
      case 2:
        this.writeFifoControl(value);
        break;
      case 3:
        this.put('lcr', value);
        break;
      case 4:
        this.writeModemControl(value & 0x1f);
        break;
      case 7:
        this.put('scr', value);
        break;
      default:
        break;
    }
    this.drive();
  }

  private transmit(value: number): void {
    if ((this.get('mcr') & MCR_LOOPBACK) !== 0) this.push(value);
    else this.options.output.emit('uart', Uint8Array.of(value));
    this.put('transmitLatch', 1);
  }

  private writeInterruptEnable(value: number): void {
    const rising = value & ~this.get('ier') & IER_TRANSMIT;
    if (rising !== 0) this.put('transmitLatch', 1);
    if ((value & IER_TRANSMIT) === 0) this.put('transmitLatch', 0);
    this.put('ier', value);
  }

  /** Switching the FIFO on or off empties it, as the clear bit does. */
  private writeFifoControl(value: number): void {
    const toggled = (value ^ this.get('fcr')) & FCR_ENABLE;
    if (toggled !== 0 || (value & FCR_CLEAR_RECEIVE) !== 0) {
      const held = (this.get('fcr') & FCR_ENABLE) !== 0 ? CHIP_FIFO_BYTES : 1;
      for (let left = Math.min(held, this.waiting()); left > 0; left--) this.pop();
    }
    this.put('fcr', (value & FCR_ENABLE) === 0 ? 0 : value & 0xc9);
  }

  private writeModemControl(value: number): void {
    const before = this.modemLines();
    this.put('mcr', value);
    const changed = (before ^ this.modemLines()) >> 4;
    // Delta bits: CTS, DSR and DCD on any change, RI only when it ends.
    const ringEnded = (before & ~this.modemLines() & 0x40) >> 4;
    this.put('msrDelta', this.get('msrDelta') | (changed & 0x0b) | ringEnded);
  }

  /** The upper half of MSR. In loopback it mirrors RTS, DTR, OUT1 and OUT2 of MCR. */
  private modemLines(): number {
    const mcr = this.get('mcr');
    if ((mcr & MCR_LOOPBACK) === 0) return MSR_CONNECTED;
    return ((mcr & 2) << 3) | ((mcr & 1) << 5) | ((mcr & 4) << 4) | ((mcr & 8) << 4);
  }

  private readModemStatus(): number {
    const value = this.modemLines() | this.get('msrDelta');
    this.put('msrDelta', 0);
    this.drive();
    return value;
  }

  private readLineStatus(): number {
    const ready = this.waiting() > 0 ? LSR_DATA_READY : 0;
    const overrun = this.get('overrun') !== 0 ? LSR_OVERRUN : 0;
    this.put('overrun', 0);
    this.drive();
    return LSR_TRANSMITTER_EMPTY | ready | overrun;
  }

  private readInterruptId(): number {
    const id = this.interruptId();
    if (id === IIR_TRANSMIT) {
      this.put('transmitLatch', 0);
      this.drive();
    }
    return id | ((this.get('fcr') & FCR_ENABLE) !== 0 ? IIR_FIFO_ON : 0);
  }

  private interruptId(): number {
    const ier = this.get('ier');
    const count = this.waiting();
    if ((ier & IER_LINE_STATUS) !== 0 && this.get('overrun') !== 0) return IIR_LINE_STATUS;
    if ((ier & IER_RECEIVE) !== 0 && count > 0) {
      const fcr = this.get('fcr');
      const trigger = TRIGGER_BYTES[fcr >> 6] ?? 1;
      return (fcr & FCR_ENABLE) === 0 || count >= trigger ? IIR_RECEIVE : IIR_TIMEOUT;
    }
    if ((ier & IER_TRANSMIT) !== 0 && this.get('transmitLatch') !== 0) return IIR_TRANSMIT;
    if ((ier & IER_MODEM) !== 0 && this.get('msrDelta') !== 0) return IIR_MODEM;
    return IIR_NONE;
  }

  private drive(): void {
    this.options.interrupt.set(this.interruptId() !== IIR_NONE);
  }

  private push(byte: number): void {
    const count = this.waiting();
    if (count === UART_INPUT_BYTES) {
      this.put('overrun', 1);
      return;
    }
    const at = (this.get('inputHead') + count) % UART_INPUT_BYTES;
    this.block.bytes[this.input + at] = byte;
    this.put('inputCount', count + 1);
  }

  /** The oldest byte, which leaves the ring, or 0 if there is none. */
  private pop(): number {
    const count = this.waiting();
    if (count === 0) return 0;
    const head = this.get('inputHead') % UART_INPUT_BYTES;
    this.put('inputHead', (head + 1) % UART_INPUT_BYTES);
    this.put('inputCount', count - 1);
    this.drive();
    return this.block.bytes[this.input + head] ?? 0;
  }

  private get(field: string): number {
    return Number(this.block.get(this.block.index(field)));
  }

  private put(field: string, value: number): void {
    this.block.set(this.block.index(field), BigInt(value));
  }
}
