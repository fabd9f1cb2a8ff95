/**
 * Goal: the embedded guest is what its source says, and does on an independent machine (QEMU)
 * what guest/README.md says. Method: rebuild it and compare bytes; run it and compare each answer
 * with the model.
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { findProgram, findQemu, Qemu, REPOSITORY } from '../support/qemu.js';
import { LedgerModel } from './ledger-model.js';

const run = promisify(execFile);
const LEDGER = join(REPOSITORY, 'guest/ledger.elf');
const COMPILER = 'riscv64-unknown-elf-gcc';
const COMPILER_VERSION = '12.2.0';

test('the committed ledger is the one its source gives (skipped without the cross compiler)', async (t) => {
  if ((await findProgram(COMPILER)) === null) {
    t.log(`skipped: ${COMPILER} is not installed`);
    t.pass();
    return;
  }
  const { stdout: version } = await run(COMPILER, ['-dumpfullversion']);
  if (version.trim() !== COMPILER_VERSION) {
    t.log(`skipped: ${COMPILER} is ${version.trim()}, the ledger was built by ${COMPILER_VERSION}`);
    t.pass();
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-guest-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await run(join(REPOSITORY, 'guest/build'), [folder]);
  const built = await readFile(join(folder, 'ledger.elf'));
  const committed = await readFile(LEDGER);
  t.true(built.equals(committed), 'guest/build gives other bytes than guest/ledger.elf');
});

test('the ledger answers as the model on QEMU (skipped without QEMU)', async (t) => {
  const program = await findQemu();
  if (program === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
    return;
  }
  const qemu = new Qemu(program, ['-m', '16M', '-bios', 'none', '-kernel', LEDGER]);
  t.teardown(() => qemu.stop());
  const model = new LedgerModel();
  const expected = [`R ${model.state}`];
  await qemu.waitFor(/^R .*\n/);

  const lines: string[] = [];
  const exchange = (line: string, answer: string): void => {
    lines.push(line);
    expected.push(answer);
  };
  exchange('B 50000', 'B 50000');
  for (let number = 0n; number < 3000n; number++) {
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
  // The whole text goes in at once: the guest's ring overflows and must hold the sender back.
  qemu.send(lines.map((line) => `${line}\n`).join(''));
  await qemu.waitFor(/^V .*\n/m);

  qemu.send('K\n');
  const [, ticks] = await qemu.waitFor(/^K (\d+)\n/m);
  t.true(Number(ticks) > 0, 'the timer ticks');
  qemu.send('X 37\n');
  const { status, output } = await qemu.exit();
  t.is(status, 37);
  t.is(output, `${expected.join('\n')}\nK ${ticks}\n`);
});
