/**
 * Goal: the embedded guest does what guest/README.md says.
 * Method: run it on QEMU and on Lockstep and compare each answer with the model.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { GuestMachine } from '../support/guest-machine.js';
import { findQemu, Qemu, REPOSITORY } from '../support/qemu.js';
import { Random } from '../support/random.js';
import { LedgerModel } from './ledger-model.js';

const LEDGER = join(REPOSITORY, 'guest/ledger.elf');
const STEP_LIMIT = 2_000_000_000n;

/** Lines to send, and everything the guest must write, the R line first. */
function makeExchange(transactions: number): { lines: string; expected: string } {
  const model = new LedgerModel();
  const expected = [`R ${model.state}`];
  const lines: string[] = [];
  const exchange = (line: string, answer: string): void => {
    lines.push(line);
    expected.push(answer);
  };
  exchange('B 50', 'B 50');
  for (let number = 0n; number < transactions; number++) {
    const amount = ((number * 7919n) % 2003n) - 1000n;
    exchange(`T ${number} ${amount}`, model.transact(number, amount));
  }
  const largest = 2n ** 63n - 1n;
  exchange(`T ${2n ** 64n - 1n} ${largest}`, model.transact(2n ** 64n - 1n, largest));
  exchange(`T 5 -${largest}`, model.transact(5n, -largest));
  exchange('T 5', 'E want T NUMBER AMOUNT');
  exchange(`T ${2n ** 64n} 1`, 'E want T NUMBER AMOUNT');
  exchange('T 5 6 7', 'E want T NUMBER AMOUNT');
  exchange('hello', 'E unknown line');
  exchange(`T ${'1'.repeat(200)}`, 'E line too long');
  exchange('S', `S ${model.state}`);
  exchange('V', `V ${model.count} 0`);
  return { lines: `${lines.join('\n')}\n`, expected: `${expected.join('\n')}\n` };
}

test('the ledger answers as the model on QEMU (skipped without QEMU)', async (t) => {
  const program = await findQemu();
  if (program === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
    return;
  }
  const qemu = new Qemu(program, ['-m', '16M', '-bios', 'none', '-kernel', LEDGER]);
  t.teardown(() => qemu.stop());
  await qemu.waitFor(/^R .*\n/);
  // The whole text goes in at once: the guest's ring overflows and must hold the sender back.
  const { lines, expected } = makeExchange(3000);
  qemu.send(lines);
  await qemu.waitFor(/^V .*\n/m);
  qemu.send('K\n');
  const [, ticks] = await qemu.waitFor(/^K (\d+)\n/m);
  t.true(Number(ticks) > 0, 'the timer ticks');
  qemu.send('X 37\n');
  const { status, output } = await qemu.exit();
  t.is(status, 37);
  t.is(output, `${expected}K ${ticks}\n`);
});

test('the ledger answers as the model on Lockstep', async (t) => {
  const guest = new GuestMachine({
    images: { kernel: await readFile(LEDGER) },
    memoryBytes: 16 * 2 ** 20,
  });
  guest.runToText(/^R .*\n/, STEP_LIMIT);
  const { lines, expected } = makeExchange(20_000);
  guest.type(lines);
  guest.runToText(/^V .*\n/m, STEP_LIMIT);
  guest.type('K\n');
  const [, ticks] = guest.runToText(/^K (\d+)\n/m, STEP_LIMIT);
  t.true(Number(ticks) > 0, 'the timer ticks');
  guest.type('X 37\n');
  t.deepEqual(guest.runToStop(STEP_LIMIT), { cause: 'exit', status: 37 });
  t.is(guest.text, `${expected}K ${ticks}\n`);
});

test('the ledger is never deaf, whenever its ring of received bytes fills', async (t) => {
  const guest = new GuestMachine({
    images: { kernel: await readFile(LEDGER) },
    memoryBytes: 16 * 2 ** 20,
  });
  guest.runToText(/^R .*\n/, STEP_LIMIT);
  const uartBytes = guest.machine.inputSpace('uart');
  // Empty lines come faster than they are read, so the ring is full soon; from then on they come
  // when the UART has run dry, at moments that fall on every instruction of the loop that reads.
  const random = new Random(1);
  for (let round = 0; round < 8_000; round++) {
    if (guest.machine.inputSpace('uart') === uartBytes) guest.type('\n'.repeat(uartBytes));
    guest.runSteps(BigInt(1 + random.below(400)));
  }
  guest.type('S\n');
  guest.runToText(/^S 0 .*\n/m, 10_000_000n);
  t.pass();
});
