/**
 * Faults as data: what strikes when. A seed's list is drawn before the run, so that it can be
 * printed, and depends on nothing that happens in it.
 */

import type { Random } from './random.js';

export type Fault =
  /** SIGKILL. The node starts again as a backup later. */
  | { readonly kind: 'crash'; readonly atMs: number; readonly node: number }
  /** SIGSTOP, and SIGCONT after `forMs`. */
  | {
      readonly kind: 'pause';
      readonly atMs: number;
      readonly node: number;
      readonly forMs: number;
    }
  /** Kill or stop at the next time a process of the node is about to do `effect`. */
  | {
      readonly kind: 'strike';
      readonly atMs: number;
      readonly node: number;
      readonly effect: string;
      /** 0 kills. */
      readonly pauseForMs: number;
    }
  /** No traffic from one node to another; both ways if `isMutual`. */
  | {
      readonly kind: 'cut';
      readonly atMs: number;
      readonly from: number;
      readonly to: number;
      readonly isMutual: boolean;
      readonly forMs: number;
    }
  /** Streams between two nodes break. */
  | {
      readonly kind: 'reset';
      readonly atMs: number;
      readonly from: number;
      readonly to: number;
    }
  /** The node can't reach the arbiter. */
  | {
      readonly kind: 'deafen';
      readonly atMs: number;
      readonly node: number;
      readonly forMs: number;
    }
  /** Clients can't reach the node. */
  | {
      readonly kind: 'isolate';
      readonly atMs: number;
      readonly node: number;
      readonly forMs: number;
    }
  /** The next batch between two nodes is lost or doubled, which a transport never should. */
  | {
      readonly kind: 'corrupt';
      readonly atMs: number;
      readonly from: number;
      readonly to: number;
      readonly how: 'lose' | 'double';
    }
  /** A bit of a backup's guest flips. */
  | { readonly kind: 'flip'; readonly atMs: number; readonly node: number; readonly bit: number };

type Kind = Fault['kind'];

const KINDS: readonly Kind[] = [
  'crash',
  'pause',
  'strike',
  'cut',
  'reset',
  'deafen',
  'isolate',
  'corrupt',
];

/** Effects between which a process can be struck, of both roles. */
const STRIKABLE = [
  'log-epoch',
  'release',
  'send-batch',
  'send-heartbeat',
  'answer-hello',
  'take-snapshot',
  'claim',
  'transition',
  'close-stream',
  'set-throttle',
  'send-hello',
  'load-snapshot',
  'send-ack',
  'accept',
  'drain',
  'become-primary',
  'announce',
  'resend',
] as const;

/** Draws the faults of a seed, in order of time. */
export function planFaults(
  random: Random,
  shape: { readonly nodes: number; readonly healAtMs: number; readonly hasFlip: boolean },
): Fault[] {
  const kinds = KINDS.filter(() => random.chance(0.4));
  if (shape.hasFlip) return planFlip(random, shape);
  if (kinds.length === 0) return [];
  const faults: Fault[] = [];
  const gapMs = random.pick([80, 200, 500]);
  for (let atMs = random.span(20, 400); atMs < shape.healAtMs; atMs += random.span(1, 2 * gapMs)) {
    faults.push(planFault(random, random.pick(kinds), { ...shape, atMs }));
  }
  return faults;
}

/** A flipped bit, and perhaps the loss of the stream or of the primary soon after. */
function planFlip(
  random: Random,
  shape: { readonly nodes: number; readonly healAtMs: number },
): Fault[] {
  const node = random.between(1, shape.nodes - 1);
  const atMs = random.span(5, random.pick([100, 200, shape.healAtMs]));
  const flip: Fault = { kind: 'flip', atMs, node, bit: random.between(0, 31) };
  const nextMs = atMs + random.span(0, 40);
  if (random.chance(0.4)) return [flip, { kind: 'reset', atMs: nextMs, from: 0, to: node }];
  return random.chance(0.5) ? [flip, { kind: 'crash', atMs: nextMs, node: 0 }] : [flip];
}

function planFault(
  random: Random,
  kind: Kind,
  shape: { readonly nodes: number; readonly atMs: number },
): Fault {
  const { atMs, nodes } = shape;
  const node = random.between(0, nodes - 1);
  const from = node;
  const to = (node + random.between(1, nodes - 1)) % nodes;
  const forMs = random.pick([5, 60, 200, 500, 1_500]) * random.span(0.5, 1.5);
  switch (kind) {
    case 'crash':
      return { kind, atMs, node };
    case 'pause':
    case 'deafen':
    case 'isolate':
      return { kind, atMs, node, forMs };
    case 'strike': {
      const pauseForMs = random.chance(0.5) ? 0 : forMs;
      return { kind, atMs, node, effect: random.pick(STRIKABLE), pauseForMs };
    }
    case 'cut':
      return { kind, atMs, from, to, isMutual: random.chance(0.5), forMs };
    case 'reset':
      return { kind, atMs, from, to };
    case 'corrupt':
      return { kind, atMs, from, to, how: random.pick(['lose', 'double'] as const) };
    case 'flip':
      return { kind, atMs, node, bit: random.between(0, 31) };
  }
}
