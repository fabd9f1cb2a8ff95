/**
 * Transcripts of the cores: commands and, under each, what the core answers.
 *
 * A file begins with `core primary` or `core backup`; a command is `@TIME KIND key=value ...`, and
 * the lines indented below it are its effects. `@FROM..TO/STEP` repeats a command; of its effects
 * those that are not heartbeats or acks are told, with their time. Comments and blank lines stay
 * where they are. What a command does not say has the default that stands here.
 */

import { present } from '../../lib/base/assert.js';
import type { ArbiterAnswer } from '../../lib/protocol/arbiter.js';
import type { BackupInput } from '../../lib/protocol/backup-contract.js';
import { BackupCore } from '../../lib/protocol/backup-core.js';
import { DEFAULT_LIMITS } from '../../lib/protocol/limits.js';
import type {
  CloseReason,
  PrimaryInput,
  Purpose,
  Takeover,
} from '../../lib/protocol/primary-contract.js';
import { PrimaryCore } from '../../lib/protocol/primary-core.js';

/** A core that takes commands as text. */
type Subject = (words: Words, nowMs: number) => readonly { readonly kind: string }[];

/** The text with the effects that the cores give now. */
export function replayTranscript(text: string): string {
  const lines: string[] = [];
  let subject: Subject | null = null;
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('  ')) continue;
    lines.push(line);
    if (line.startsWith('core ')) subject = makeSubject(new Words(line.slice('core '.length)));
    const command = /^@(\d+)(?:\.\.(\d+)\/(\d+))? (.+)$/.exec(line);
    if (command === null) continue;
    const answer = present(subject, 'a line "core primary|backup" first');
    const [, from = '0', to = from, step, text = ''] = command;
    for (let nowMs = Number(from); nowMs <= Number(to); nowMs += Number(step ?? 1)) {
      for (const effect of answer(new Words(text), nowMs)) {
        if (step === undefined) lines.push(`  ${render(effect)}`);
        else if (!ROUTINE.includes(effect.kind)) lines.push(`  @${nowMs} ${render(effect)}`);
      }
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Effects that a repeated command does not tell. */
const ROUTINE: readonly string[] = ['send-heartbeat', 'send-ack'];

/** `kind key=value ...` with typed access. */
class Words {
  readonly kind: string;
  private readonly values = new Map<string, string>();

  constructor(text: string) {
    const [kind = '', ...pairs] = text.split(' ');
    this.kind = kind;
    for (const pair of pairs) {
      const at = pair.indexOf('=');
      this.values.set(pair.slice(0, at), pair.slice(at + 1));
    }
  }

  has(key: string): boolean {
    return this.values.has(key);
  }

  text(key: string, fallback: string): string {
    return this.values.get(key) ?? fallback;
  }

  big(key: string, fallback: bigint): bigint {
    const text = this.values.get(key);
    return text === undefined ? fallback : BigInt(text);
  }

  number(key: string, fallback: number): number {
    return Number(this.values.get(key) ?? fallback);
  }

  flag(key: string, fallback: boolean): boolean {
    return this.text(key, String(fallback)) === 'true';
  }
}

function makeSubject(words: Words): Subject {
  if (words.kind === 'primary') {
    const core = new PrimaryCore({
      limits: DEFAULT_LIMITS,
      ackMode: words.text('ack', 'received') === 'durable' ? 'durable' : 'received',
      takeover: words.has('epoch') ? takeoverOf(words) : null,
      backups: words.number('backups', 1),
    });
    return (command, nowMs) => core.step(primaryInput(command), nowMs);
  }
  const core = new BackupCore({
    limits: DEFAULT_LIMITS,
    addresses: words.text('addresses', 'a').split(','),
    position: words.big('position', 0n),
    logEpoch: words.big('logEpoch', 0n),
    purpose: purposeOf(words),
    rejoins: words.flag('rejoins', false),
  });
  return (command, nowMs) => core.step(backupInput(command), nowMs);
}

function purposeOf(words: Words): Purpose {
  return words.text('purpose', 'protect') === 'verify' ? 'verify' : 'protect';
}

function takeoverOf(words: Words): Takeover {
  return {
    epoch: words.big('epoch', 2n),
    lastSeq: words.big('lastSeq', 0n),
    releasedSeq: words.big('releasedSeq', 0n),
    guestStopped: words.flag('guestStopped', false),
  };
}

function primaryInput(words: Words): PrimaryInput {
  const session = words.number('session', 1);
  const seq = words.big('seq', 0n);
  switch (words.kind) {
    case 'start':
      return { kind: 'start' };
    case 'recorded':
      return {
        kind: 'recorded',
        firstSeq: words.big('first', words.big('last', 1n)),
        lastSeq: words.big('last', 1n),
        bytes: words.number('bytes', 40),
        hasOutputMark: words.flag('mark', false),
      };
    case 'epoch-logged':
      return { kind: 'epoch-logged', seq, epoch: words.big('epoch', 1n) };
    case 'output':
      return { kind: 'output', seq, bytes: words.number('bytes', 1) };
    case 'backup-opened':
      return {
        kind: 'backup-opened',
        session,
        purpose: purposeOf(words),
        position: words.big('position', 0n),
        epoch: words.big('epoch', 0n),
        compatible: words.flag('compatible', true),
        resumable: words.flag('resumable', true),
      };
    case 'ack':
      return {
        kind: 'ack',
        session,
        epoch: words.big('epoch', 1n),
        receivedSeq: words.big('received', 0n),
        durableSeq: words.big('durable', 0n),
        replayedSeq: words.big('replayed', words.big('received', 0n)),
        chainMatches: words.flag('chain', true),
      };
    case 'backup-closed':
    case 'blocked':
    case 'writable':
    case 'snapshot-failed':
      return { kind: words.kind, session };
    case 'snapshot-taken':
      return { kind: 'snapshot-taken', session, seq };
    case 'claimed':
      return { kind: 'claimed', generation: words.big('generation', 1n), answer: answerOf(words) };
    case 'guest-stopped':
      return { kind: 'guest-stopped', seq };
    case 'tick':
      return { kind: 'tick', loopLagMs: words.number('late', 0) };
    default:
      throw new Error(`no input "${words.kind}" of a primary`);
  }
}

function backupInput(words: Words): BackupInput {
  const stream = words.number('stream', 1);
  const epoch = words.big('epoch', 1n);
  const seq = words.big('seq', 0n);
  const releasedSeq = words.big('released', 0n);
  switch (words.kind) {
    case 'start':
      return { kind: 'start' };
    case 'connected':
    case 'snapshot-chunk':
    case 'snapshot-failed':
      return { kind: words.kind, stream };
    case 'closed':
      return { kind: 'closed', stream, reason: reasonOf(words) };
    case 'redirected':
      return { kind: 'redirected', stream, primary: words.text('primary', 'b') };
    case 'hello-answered': {
      const mode = words.text('mode', 'resume') === 'snapshot' ? 'snapshot' : 'resume';
      return { kind: 'hello-answered', stream, epoch, mode, seq };
    }
    case 'told-to-wait':
      return { kind: 'told-to-wait', stream, epoch };
    case 'snapshot-loaded':
      return { kind: 'snapshot-loaded', stream, seq };
    case 'batch': {
      const epochs = words
        .text('epochs', '')
        .split(',')
        .filter((text) => text !== '');
      return {
        kind: 'batch',
        stream,
        epoch,
        firstSeq: words.big('first', words.big('last', 1n)),
        lastSeq: words.big('last', 1n),
        releasedSeq,
        counted: words.flag('counted', true),
        intact: words.flag('intact', true),
        epochs: epochs.map((text) => {
          const [at = '0', number = '0'] = text.split(':');
          return { seq: BigInt(at), epoch: BigInt(number) };
        }),
        powerOffSeq: words.has('powerOff') ? words.big('powerOff', 0n) : null,
        more: words.flag('more', false),
      };
    }
    case 'heartbeat':
      return { kind: 'heartbeat', stream, epoch, lastSeq: words.big('last', 0n), releasedSeq };
    case 'durable':
    case 'replayed':
    case 'diverged':
    case 'drained':
      return { kind: words.kind, seq };
    case 'claimed':
      return { kind: 'claimed', generation: words.big('generation', 2n), answer: answerOf(words) };
    case 'tick':
      return { kind: 'tick', loopLagMs: words.number('late', 0) };
    default:
      throw new Error(`no input "${words.kind}" of a backup`);
  }
}

function answerOf(words: Words): ArbiterAnswer {
  const outcome = words.text('answer', 'won');
  if (outcome === 'won' || outcome === 'unavailable') return { outcome };
  return { outcome: 'lost', holder: { address: words.text('holder', 'b'), incarnation: '1' } };
}

const REASONS: readonly CloseReason[] = [
  'stopped',
  'busy',
  'incompatible',
  'not-primary',
  'stale-epoch',
  'protocol-violation',
  'timeout',
  'snapshot-failed',
  'diverged',
];

function reasonOf(words: Words): CloseReason | null {
  return REASONS.find((reason) => reason === words.text('reason', '')) ?? null;
}

/** `kind key=value ...`, in the order of the effect's fields. */
function render(effect: { readonly kind: string }): string {
  const parts = Object.entries(effect).map(([key, value]) =>
    key === 'kind' ? String(value) : `${key}=${renderValue(value)}`,
  );
  return parts.join(' ');
}

function renderValue(value: unknown): string {
  if (typeof value === 'string') return value.includes(' ') ? JSON.stringify(value) : value;
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'bigint' ? Number(item) : item,
  );
}
