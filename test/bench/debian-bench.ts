/**
 * Debian on each emulator in turn: a boot with a short script, from the start of the process to
 * its end, and the phases of a longer script, by the marks that it prints when they begin and end.
 * What the scripts print must be equal to the byte.
 */

import { join } from 'node:path';
import { LockstepError } from '../../lib/base/error.js';
import type { Reporter } from '../../lib/host/image/debian-archive.js';
import { buildDebianImage, type DebianImage } from '../../lib/host/image/debian-image.js';
import { defaultCacheFolder } from '../../lib/host/image/image-place.js';
import { DEBIAN_KEYRING } from '../../lib/host/image/release.js';
import {
  DEBIAN_PACKAGES,
  DEBIAN_PHASES,
  debianScript,
  LONG_WORK,
  PHASE_BEGINS,
  PHASE_ENDS,
  scriptOutput,
  type DebianPhase,
} from '../support/debian-programs.js';
import type { Emulator, Emulators, Guest } from './emulators.js';
import { lastWords, timesOf, type Figure, type Outcome } from './figure.js';
import { runMeasured, type MeasuredRun } from './measured-process.js';
import type { BenchOptions } from './program-bench.js';

const MEMORY_MEGABYTES = 256;

/** What a small machine does after its boot: processes, files, pipes, text. */
const BOOT_SCRIPT = String.raw`
uname -srm
seq 1 2000 | awk '{ s += sqrt($1) * $1 / 3 } END { printf "%.9f\n", s }'
seq 1 5000 | sort -r | md5sum
head -c 300000 /dev/zero | tr '\000' a | gzip -n | gunzip | sha256sum
for i in $(seq 40); do sh -c "exit $i"; echo $?; done | sha1sum
`;

const PHASES: Readonly<Record<DebianPhase, Pick<Figure, 'group' | 'what'>>> = {
  fork: { group: 'shell', what: 'a shell starts and ends processes' },
  exchange: { group: 'shell', what: 'two shells hand lines to each other' },
  compress: { group: 'binaries', what: 'xz packs and unpacks' },
  crypto: { group: 'binaries', what: 'openssl: AES, SHA-2, SHA-3, MD5, a prime' },
  interpreter: { group: 'binaries', what: 'perl: hashes, strings, patterns, sorting' },
};

/** Builds an image in `folder`; null, after saying why on stderr, where it can't be had. */
async function imageFor(
  script: string,
  packages: readonly string[],
  folder: string,
): Promise<DebianImage | null> {
  const reporter: Reporter = {
    stage: (text) => void process.stderr.write(`bench: image: ${text}\n`),
    progress: () => undefined,
    note: (text) => void process.stderr.write(`bench: image: ${text}\n`),
  };
  try {
    return await buildDebianImage(
      {
        mirror: null,
        cacheFolder: defaultCacheFolder(),
        outputFolder: folder,
        keyring: DEBIAN_KEYRING,
        packages,
        rootDiskBytes: null,
        script: Buffer.from(script),
        refresh: false,
      },
      reporter,
    );
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    if (error.code !== 'IO' && error.code !== 'USAGE' && error.code !== 'MISSING_TOOL') throw error;
    process.stderr.write(`bench: no Debian here: ${error.message}\n`);
    return null;
  }
}

/** A run, and when each phase began and ended, in seconds since its start. */
interface MarkedRun extends MeasuredRun {
  readonly phases: ReadonlyMap<string, { readonly begin: number; end: number }>;
}

async function runMarked(
  emulators: Emulators,
  emulator: Emulator,
  { guest, folder }: { readonly guest: Guest; readonly folder: string },
): Promise<MarkedRun> {
  const phases = new Map<string, { readonly begin: number; end: number }>();
  let line = '';
  const run = await runMeasured(emulators.commandFor(emulator, guest, folder), (text, seconds) => {
    const lines = `${line}${text}`.split('\n');
    line = lines.pop() ?? '';
    for (const whole of lines) {
      const began = PHASE_BEGINS.exec(whole)?.[1];
      if (began !== undefined) phases.set(began, { begin: seconds, end: Number.NaN });
      const ended = phases.get(PHASE_ENDS.exec(whole)?.[1] ?? '');
      if (ended !== undefined) ended.end = seconds;
    }
  });
  return { ...run, phases };
}

async function runAll(
  name: string,
  image: DebianImage,
  emulators: Emulators,
  { chosen, runs, folder }: BenchOptions,
): Promise<{ runs: ReadonlyMap<Emulator, readonly MarkedRun[]>; complaints: string[] }> {
  const guest: Guest = {
    bios: image.bios,
    kernel: image.kernel,
    initrd: image.initrd,
    append: 'console=ttyS0 quiet',
    memoryMegabytes: MEMORY_MEGABYTES,
  };
  const done = new Map<Emulator, MarkedRun[]>(chosen.map((emulator) => [emulator, []]));
  const complaints: string[] = [];
  let expected: string | null = null;
  for (let round = 0; round < runs; round++) {
    for (const [emulator, list] of done) {
      const run = await runMarked(emulators, emulator, { guest, folder });
      list.push(run);
      const output = run.status === 0 ? scriptOutput(run.stdout) : null;
      expected ??= output;
      if (output === null) complaints.push(`${name} on ${emulator}: ${lastWords(run)}`);
      else if (output !== expected) {
        complaints.push(`${name} on ${emulator} says another thing:\n${output}\nnot${expected}`);
      }
    }
  }
  return { runs: done, complaints };
}

/** Null where there is no Debian. */
export async function benchBoot(
  emulators: Emulators,
  options: BenchOptions,
): Promise<Outcome | null> {
  const image = await imageFor(BOOT_SCRIPT, [], join(options.folder, 'boot'));
  if (image === null) return null;
  const { runs, complaints } = await runAll('boot', image, emulators, options);
  const times = timesOf(runs);
  const what = 'Debian boots, runs a short script and powers off';
  const figure: Figure = { name: 'boot', group: 'boot', what, emulators: times, retired: null };
  return { figures: [figure], complaints };
}

/** Null where there is no Debian. */
export async function benchDebian(
  emulators: Emulators,
  options: BenchOptions,
): Promise<Outcome | null> {
  const script = debianScript(LONG_WORK);
  const image = await imageFor(script, DEBIAN_PACKAGES, join(options.folder, 'debian'));
  if (image === null) return null;
  const { runs, complaints } = await runAll('debian', image, emulators, options);
  const figures = DEBIAN_PHASES.map((name): Figure => {
    const secondsOf = (run: MarkedRun): number => {
      const phase = run.phases.get(name);
      return phase === undefined ? Number.NaN : phase.end - phase.begin;
    };
    const times = timesOf(runs, secondsOf);
    return { name, ...PHASES[name], emulators: times, retired: null };
  });
  return { figures, complaints };
}
