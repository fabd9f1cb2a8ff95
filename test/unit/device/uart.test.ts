/**
 * Goal: a driver for the 16550A finds what it expects; the checks of Linux's 8250 driver are
 * played register by register.
 * Method: register accesses with a recording line and output.
 */

import test from 'ava';
import { Uart, UART_INPUT_BYTES, UART_SPEC } from '../../../lib/device/uart.js';
import { blockOf, random, TestLine, TestOutput } from './rig.js';

const DATA = 0;
const IER = 1;
const IIR = 2;
const FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

function rig() {
  const interrupt = new TestLine();
  const output = new TestOutput();
  const uart = new Uart(blockOf(UART_SPEC), { base: 0x1000_0000, interrupt, output });
  uart.reset();
  return {
    uart,
    interrupt,
    output,
    read: (offset: number) => Number(uart.read(offset, 1)),
    write: (offset: number, value: number) => uart.write(offset, 1, BigInt(value)),
    type: (text: string) => uart.receive(new TextEncoder().encode(text)),
  };
}

test('bytes leave in the order they are written, and the transmitter is always ready', (t) => {
  const { output, write, read } = rig();
  for (const char of 'boot\n') {
    t.is(read(LSR), 0x60);
    write(DATA, char.charCodeAt(0));
  }
  t.is(output.text(), 'boot\n');
});

test('the divisor latch hides data and interrupt enable, and nothing leaves through it', (t) => {
  const { output, write, read } = rig();
  write(IER, 5);
  write(LCR, 0x83);
  write(DATA, 2);
  write(IER, 1);
  t.deepEqual([read(DATA), read(IER)], [2, 1]);
  write(LCR, 3);
  t.is(read(IER), 5);
  t.is(output.total, 0);
  write(SCR, 0xa5);
  t.is(read(SCR), 0xa5);
});

test('enabling THRI interrupts at once; reading IIR clears it; toggling THRI raises it again', (t) => {
  const { interrupt, write, read } = rig();
  write(IER, 2);
  t.true(interrupt.level);
  t.is(read(IIR), 0x02);
  t.false(interrupt.level);
  t.is(read(IIR), 0x01);
  write(IER, 2);
  t.is(read(IIR), 0x01, 'writing the same value is no edge');
  write(IER, 0);
  write(IER, 2);
  t.is(read(IIR), 0x02);
  write(DATA, 0x41);
  t.true(interrupt.level, 'the byte has left');
});

test('received data interrupts, below the trigger level as a timeout, until it is read', (t) => {
  const { interrupt, write, read, type } = rig();
  write(IER, 1);
  type('a');
  t.is(read(IIR), 0x04, 'without FIFO');
  t.is(read(DATA), 0x61);
  t.false(interrupt.level);
  write(FCR, 0x81);
  type('1234567');
  t.is(read(IIR), 0xcc);
  type('8');
  t.is(read(IIR), 0xc4);
  t.is(read(LSR), 0x61);
  let text = '';
  while ((read(LSR) & 1) !== 0) text += String.fromCharCode(read(DATA));
  t.is(text, '12345678');
  t.false(interrupt.level);
  t.is(read(DATA), 0);
});

test('received data comes before an empty transmitter', (t) => {
  const { write, read, type } = rig();
  write(IER, 3);
  type('x');
  t.is(read(IIR), 0x04);
  read(DATA);
  t.is(read(IIR), 0x02);
});

test('a paste of the whole ring arrives complete and in order', (t) => {
  const { uart, read } = rig();
  const next = random(3);
  for (let round = 0; round < 3; round++) {
    const bytes = Uint8Array.from({ length: UART_INPUT_BYTES }, () => next(256));
    t.is(uart.inputSpace(), UART_INPUT_BYTES);
    uart.receive(bytes.subarray(0, 1000));
    uart.receive(bytes.subarray(1000));
    t.is(uart.inputSpace(), 0);
    const seen = Uint8Array.from(bytes, () => read(DATA));
    t.deepEqual(seen, bytes);
  }
});

test('a byte too many is lost and reported once as overrun', (t) => {
  const { uart, interrupt, read, write } = rig();
  write(IER, 4);
  uart.receive(new Uint8Array(UART_INPUT_BYTES + 1).fill(1));
  t.true(interrupt.level);
  t.is(read(IIR), 0x06);
  t.is(read(LSR), 0x63);
  t.is(read(LSR), 0x61);
  t.false(interrupt.level);
  t.is(uart.inputSpace(), 0);
});

test('a FIFO reset loses what the chip holds, not what waits behind it', (t) => {
  const { read, write, type } = rig();
  write(FCR, 1);
  type('0123456789abcdefREST');
  write(FCR, 7);
  t.is(String.fromCharCode(read(DATA), read(DATA), read(DATA), read(DATA)), 'REST');
});

test('loopback shows modem outputs as inputs and keeps bytes inside', (t) => {
  const { output, read, write } = rig();
  t.is(read(MSR) & 0xf0, 0xb0);
  write(MCR, 0x10 | 0x0a);
  t.is(read(MSR) & 0xf0, 0x90, 'as autoconfiguration expects');
  write(DATA, 0x5a);
  t.is(read(DATA), 0x5a);
  t.is(output.total, 0);
  write(MCR, 0);
  t.is(read(MSR) & 0xf0, 0xb0);
});

test('a change of modem lines is reported once', (t) => {
  const { interrupt, read, write } = rig();
  write(IER, 8);
  write(MCR, 0x10);
  t.true(interrupt.level);
  t.is(read(IIR), 0);
  t.is(read(MSR), 0x0b);
  t.false(interrupt.level);
  t.is(read(MSR), 0);
});

test('no sequence of accesses throws or holds more than a byte (20,000)', (t) => {
  const { uart, interrupt } = rig();
  const next = random(11);
  for (let round = 0; round < 20_000; round++) {
    const bytes = [1, 2, 4, 8][next(4)] ?? 1;
    if (next(2) === 0) uart.write(next(256), bytes, BigInt(next(2 ** 32)));
    else if (uart.read(next(256), bytes) > 0xffn) t.fail(`round ${round}`);
    if (next(50) === 0) uart.receive(new Uint8Array(next(300)));
  }
  t.is(typeof interrupt.level, 'boolean');
});
