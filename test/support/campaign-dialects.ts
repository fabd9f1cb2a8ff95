/**
 * What a guest of a kill campaign is asked and must answer: the ledger, and a loop in a shell.
 *
 * Both guests count what they are told and answer each transaction with a state that depends on
 * all before it, and neither remembers what it was told before: a transaction that is lost, doubled
 * or reordered shows in the very next answer. The mirror here does the same from the numbers alone.
 */

import { LedgerState, transactionLine } from '../../tools/demo/ledger.js';

export interface Dialect {
  readonly name: 'ledger' | 'debian';
  /** The line that sends transaction `number`, without its end. */
  request(number: number): string;
  /** Enters the next transaction in the mirror and gives the answer that the guest must give. */
  nextAnswer(): string;
  /** Whether a line is the answer to a transaction; others are noise or replies to `say`. */
  isAnswer(line: string): boolean;
  /** Lines that make the guest busy and idle; null if it can't be told. */
  readonly load: { readonly busy: string; readonly idle: string } | null;
  /** A last question and the answer that shows the guest's state to be whole. */
  readonly audit: { readonly question: string; readonly answer: RegExp } | null;
}

export function ledgerDialect(): Dialect {
  const mirror = new LedgerState();
  return {
    name: 'ledger',
    request: transactionLine,
    nextAnswer: () => {
      mirror.add();
      return `A ${mirror.count} ${mirror.toString()}`;
    },
    isAnswer: (line) => line.startsWith('A '),
    load: { busy: 'B 100', idle: 'B 0' },
    audit: { question: 'V', answer: /^V \d+ 0$/ },
  };
}

const MODULUS = 1_000_003;
const FACTOR = 31;

/**
 * The loop that `shellDialect` speaks with, for a POSIX shell whose terminal does not echo. It is
 * told 0 once, which leaves its state at zero, to see that it runs.
 */
export const SHELL_LOOP =
  `n=-1; s=0; while read a; do n=$((n + 1)); s=$(((s * ${FACTOR} + a) % ${MODULUS})); ` +
  'echo "A $a $n $s"; done';

export function shellDialect(): Dialect {
  let count = 0;
  let state = 0;
  return {
    name: 'debian',
    request: (number) => `${number}`,
    nextAnswer: () => {
      count += 1;
      state = (state * FACTOR + count) % MODULUS;
      return `A ${count} ${count} ${state}`;
    },
    isAnswer: (line) => line.startsWith('A '),
    load: null,
    audit: null,
  };
}
