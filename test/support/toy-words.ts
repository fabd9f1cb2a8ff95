/**
 * The layout of the toy machine's state outside RAM: which word is what, and its name for people.
 */

export const INPUT_BYTES = 64;
export const CLIENT_SLOTS = 8;
export const LINE_BYTES = 32;

/** Word indexes; arrays take as many words as their name says. */
export const WORD = {
  step: 0,
  parked: 1,
  /** Virtual time at `baseStep`, in ticks and 2^-32 ticks, and what a step adds from there on. */
  baseStep: 2,
  baseTicks: 3,
  baseFraction: 4,
  rate: 5,
  timerDeadline: 6,
  interrupts: 7,
  work: 8,
  print: 9,
  scribble: 10,
  count: 11,
  total: 12,
  lineLength: 13,
  entropyWanted: 14,
  entropy: 15,
  uartOffset: 16,
  powerOffset: 17,
  /** 0 while running, 1 + index in `STOP_CAUSES` afterwards. */
  stop: 18,
  status: 19,
  inputLength: 20,
  line: 21,
  input: 21 + LINE_BYTES,
  clients: 21 + LINE_BYTES + INPUT_BYTES,
} as const;
export const WORD_COUNT = WORD.clients + 2 * CLIENT_SLOTS;

export const WORD_NAMES: readonly string[] = nameWords();

function nameWords(): string[] {
  const names: string[] = [];
  const starts = Object.entries(WORD);
  for (const [position, [name, from]] of starts.entries()) {
    const to = starts[position + 1]?.[1] ?? WORD_COUNT;
    for (let index = from; index < to; index++) {
      names.push(to - from === 1 ? `toy.${name}` : `toy.${name}[${index - from}]`);
    }
  }
  return names;
}
