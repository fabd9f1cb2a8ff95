/**
 * Unmodified Debian programs at work in the guest: a script of phases that prints digests and
 * results, no times and no addresses, so that its output is the same wherever it runs.
 *
 * `fork` and `exchange` live in the kernel: processes made and ended, and two of them that hand
 * lines to each other. `compress`, `crypto` and `interpreter` are the binaries of Debian packages.
 */

export const DEBIAN_PACKAGES: readonly string[] = ['openssl', 'perl-base', 'xz-utils'];

export const DEBIAN_PHASES = ['fork', 'exchange', 'compress', 'crypto', 'interpreter'] as const;
export type DebianPhase = (typeof DEBIAN_PHASES)[number];

export const PHASE_BEGINS = /^phase (\w+) begins/;
export const PHASE_ENDS = /^phase (\w+) ends/;

/** How much each phase has to do. */
export interface DebianWork {
  readonly processes: number;
  readonly lines: number;
  readonly compressedNumbers: number;
  readonly encryptedBytes: number;
  readonly interpretedRounds: number;
}

/** A second or two each on QEMU. */
export const LONG_WORK: DebianWork = {
  processes: 120,
  lines: 1_000,
  compressedNumbers: 100_000,
  encryptedBytes: 6_000_000,
  interpretedRounds: 250_000,
};

/** Enough to compare results. */
export const SHORT_WORK: DebianWork = {
  processes: 5,
  lines: 20,
  compressedNumbers: 5_000,
  encryptedBytes: 300_000,
  interpretedRounds: 10_000,
};

const KEY = '00112233445566778899aabbccddeeff'.repeat(2);
const VECTOR = '000102030405060708090a0b0c0d0e0f';
/** 2^521 - 1. */
const PRIME = `1${'f'.repeat(130)}`;

const INTERPRETED = String.raw`
my ($x, %words, @numbers) = (1);
for my $i (1 .. $ARGV[0]) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  $words{$x % 5000} .= chr(97 + $x % 26);
  push @numbers, $x % 100000 if $i % 5 == 0;
}
my $letters = 0;
for my $key (sort keys %words) {
  $letters += length $1 while $words{$key} =~ /([aeiou][^aeiou]+)/g;
}
@numbers = sort { $a <=> $b } @numbers;
print "$letters letters, $numbers[0] to $numbers[-1] of ", scalar(@numbers), "\n";
`;

export function debianScript(work: DebianWork): string {
  return String.raw`
phase() { echo "phase $1 begins"; $1; echo "phase $1 ends"; }

fork() {
  i=0
  while [ $i -lt ${work.processes} ]; do /bin/busybox true; i=$((i + 1)); done
  echo "$i processes"
}

exchange() {
  mkfifo there back
  while read -r line; do echo "$line" >&3; done <there 3>back &
  exec 4>there 5<back
  i=0
  sum=0
  while [ $i -lt ${work.lines} ]; do
    echo "$i" >&4
    read -r answer <&5
    sum=$((sum + answer))
    i=$((i + 1))
  done
  exec 4>&- 5<&-
  wait
  echo "$i lines, sum $sum"
}

compress() {
  seq 1 ${work.compressedNumbers} >numbers
  /usr/bin/xz --threads=1 -3 --keep numbers
  sha256sum numbers numbers.xz
  /usr/bin/xz -dc numbers.xz | sha256sum
}

crypto() {
  head -c ${work.encryptedBytes} /dev/zero | openssl enc -aes-256-ctr -K ${KEY} -iv ${VECTOR} >cipher
  openssl dgst -sha512 cipher
  openssl dgst -sha3-256 cipher
  openssl dgst -md5 cipher
  openssl prime -hex ${PRIME}
}

interpreter() { perl -e '${INTERPRETED}' ${work.interpretedRounds}; }

mount -t tmpfs tmpfs /tmp
cd /tmp
${DEBIAN_PHASES.map((name) => `phase ${name}`).join('\n')}
`;
}

/** What a script of `lockstep image` wrote, with the status it ended with; null if it did not. */
export function scriptOutput(text: string): string | null {
  const found = /lockstep: script begins([^]*script ended with status \d+)/.exec(text);
  return found?.[1]?.replaceAll('\r', '') ?? null;
}
