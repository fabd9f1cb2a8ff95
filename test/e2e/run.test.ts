/**
 * Goal: `lockstep run` is what a script or an outside suite can rely on: console, exit status,
 * exact stops, repeatable results, signature, statistics, clear refusals.
 * Method: the real command with the embedded guest and with small ELF files.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { LEDGER, lockstep, LockstepProcess } from '../support/lockstep-process.js';
import { assemble } from '../support/assembler.js';
import { elfOf } from '../unit/machine/images.js';

const RAM = 0x8000_0000n;

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-run-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** An ELF of `source` with the symbols that the RISC-V suites use. */
function program(folder: string, source: string): string {
  const { bytes } = assemble(source);
  const file = join(folder, 'program.elf');
  const symbols = [
    ['tohost', RAM + 0x1000n],
    ['begin_signature', RAM + 0x2000n],
    ['end_signature', RAM + 0x2010n],
  ] as const;
  writeFileSync(file, elfOf({ segments: [[RAM, bytes, 0x4000n]], symbols }));
  return file;
}

test('the guest has the terminal, and its exit status is that of the command', async (t) => {
  const run = new LockstepProcess(['run', '--kernel', LEDGER, '--memory', '32M']);
  await run.says('R 0 0 ');
  run.send('T 1 5\n');
  await run.says('A 1 1 5 ');
  run.send('X 7\n');
  const { status, stderr } = await run.end();
  t.is(status, 7);
  t.is(stderr, '');
});

test('the end of the input does not end the guest, a signal does', async (t) => {
  const run = new LockstepProcess(['run', '--kernel', LEDGER, '--memory', '32M']);
  await run.says('R 0 0 ');
  const ended = run.end();
  run.kill('SIGTERM');
  t.is((await ended).status, 143);
});

test('a run to a step stops there and is the same every time and in either engine', async (t) => {
  const stats = join(folderOf(t), 'stats.json');
  const lines = new Set<string>();
  for (const engine of [
    ['--engine', 'interpreter'],
    ['--engine', 'compiler', '--hot-after', '2'],
  ]) {
    const flags = ['--until', '1234567', '--state-hash', '--stats', stats, ...engine];
    const { status, stdout } = await lockstep(['run', '--kernel', LEDGER, ...flags]);
    t.is(status, 0);
    lines.add(/^state-hash 1234567 [0-9a-f]{16}$/m.exec(stdout)?.[0] ?? stdout);
    const figures: unknown = JSON.parse(readFileSync(stats, 'utf8'));
    t.like(figures, { steps: 1234567, end: 'reached', exitStatus: 0 });
  }
  t.is(lines.size, 1, [...lines].join('\n'));
});

test('a store to tohost ends the run with its code', async (t) => {
  const file = program(
    folderOf(t),
    `
    lui t0, 0x80001
    slli t0, t0, 32
    srli t0, t0, 32
    li t1, 43
    sw t1, 0(t0)
    end:
    j end
    `,
  );
  const { status } = await lockstep(['run', '--kernel', file]);
  t.is(status, 21);
});

test('the signature is written one word a line', async (t) => {
  const folder = folderOf(t);
  const file = program(
    folder,
    `
    lui t0, 0x80002
    slli t0, t0, 32
    srli t0, t0, 32
    li t1, 0x123
    sw t1, 0(t0)
    li t1, -2
    sw t1, 12(t0)
    lui t0, 0x80001
    slli t0, t0, 32
    srli t0, t0, 32
    li t1, 1
    sw t1, 0(t0)
    end:
    j end
    `,
  );
  const signature = join(folder, 'signature');
  const { status } = await lockstep(['run', '--kernel', file, '--signature', signature]);
  t.is(status, 0);
  t.is(readFileSync(signature, 'utf8'), '00000123\n00000000\n00000000\nfffffffe\n');
});

const REFUSALS: Readonly<Record<string, readonly [words: string, status: number, text: RegExp]>> = {
  'no kernel': ['--bios none', 2, /--kernel FILE is needed/],
  'a disk that is not there': [`--kernel ${LEDGER} --disk x`, 11, /disk x can't be read/],
  'a disk of half sectors': [
    `--kernel ${LEDGER} --disk ${import.meta.filename}`,
    3,
    /whole sectors/,
  ],
  'more overlays than disks': [`--kernel ${LEDGER} --disk-overlay x`, 2, /1 overlays for 0 disks/],
  'nine harts': [`--kernel ${LEDGER} --harts 9`, 2, /between 1 and 8/],
  'a file that is not there': ['--kernel /nonexistent', 11, /can't be read/],
  'a file that is no program': ['--bios none --kernel /etc/passwd', 3, /kernel/],
  'too little memory': [`--kernel ${LEDGER} --memory 3M`, 2, /multiple of 2M/],
  'a clock that is none': [`--kernel ${LEDGER} --clock sun`, 2, /neither host nor steps/],
  'a signature of a guest without one': [`--kernel ${LEDGER} --signature x`, 2, /begin_signature/],
  'statistics that cannot be written': [
    `--kernel ${LEDGER} --until 10 --stats /nonexistent/x`,
    11,
    /can't be written/,
  ],
};

for (const [name, [words, expected, text]] of Object.entries(REFUSALS)) {
  test(`${name}: refused with a message and a status`, async (t) => {
    const { status, stderr } = await lockstep(['run', ...words.split(' ')]);
    t.is(status, expected, stderr);
    t.regex(stderr, text);
    t.notRegex(stderr, /defect/);
  });
}
