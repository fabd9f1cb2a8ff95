/**
 * The backups of a primary: who waits, who joins, whose acks count, who only verifies.
 *
 * Output is safe when every counted backup holds its mark: each of them may be the one that
 * promotes. So what is committed is the least of their watermarks, and the loss of any of them is
 * the arbiter's matter, also while others are left.
 *
 * Invariant: at most `wanted` backups are joining or counted; one at a time loads a snapshot.
 */

import type { PairLimits } from './limits.js';
import type {
  CloseReason,
  PrimaryEffect,
  Purpose,
  Stage,
  StreamFigures,
} from './primary-contract.js';
import { least, type AckMode, type PrimaryPolicy } from './primary-policy.js';
import type { PrimarySession } from './primary-session.js';

/** Backups that may stand by, and replicas that may verify; more are told to ask again later. */
export const MAX_WAITING = 8;
export const MAX_VERIFYING = 4;

export function closeStream(session: number, reason: CloseReason): PrimaryEffect {
  return { kind: 'close-stream', session, reason };
}

export class Roster {
  private readonly sessions = new Map<number, PrimarySession>();
  private readonly wanted: number;
  /** Null while nobody is served. */
  private trimmedSeq: bigint | null = null;

  constructor(wanted: number) {
    this.wanted = wanted;
  }

  get(id: number): PrimarySession | null {
    return this.sessions.get(id) ?? null;
  }

  /** In the order in which they came. */
  all(): PrimarySession[] {
    return [...this.sessions.values()];
  }

  in(...stages: readonly Stage[]): PrimarySession[] {
    return this.all().filter(({ stage }) => stages.includes(stage));
  }

  /** Those that are sent the log. */
  served(): PrimarySession[] {
    return this.in('joining', 'counted', 'verifying');
  }

  /** Those that follow in order to protect. */
  backups(): PrimarySession[] {
    return this.in('joining', 'counted');
  }

  /** Whether one that follows in order to protect has something to acknowledge. */
  awaitsAck(): boolean {
    for (const { stage, receivedSeq, sentSeq } of this.sessions.values()) {
      if (receivedSeq < sentSeq && (stage === 'counted' || stage === 'joining')) return true;
    }
    return false;
  }

  hasRoomFor(purpose: Purpose): boolean {
    const waiting = this.in('waiting').filter((session) => session.purpose === purpose);
    return waiting.length < MAX_WAITING;
  }

  add(session: PrimarySession): void {
    this.sessions.set(session.id, session);
  }

  remove(id: number): void {
    this.sessions.delete(id);
  }

  closeAll(reason: CloseReason): PrimaryEffect[] {
    const ids = [...this.sessions.keys()];
    this.sessions.clear();
    return ids.map((session) => closeStream(session, reason));
  }

  /** This process did not run for `lagMs`: nobody could be heard in that time. */
  creditLag(lagMs: number, nowMs: number): void {
    for (const session of this.sessions.values()) session.creditLag(lagMs, nowMs);
  }

  /** Entries up to `lastSeq` are in the log. */
  recorded(
    log: { readonly lastSeq: bigint; readonly bytes: number; readonly hasOutputMark: boolean },
    nowMs: number,
  ): void {
    for (const session of this.served()) {
      session.recorded(log.lastSeq, log.bytes, log.hasOutputMark, nowMs);
    }
  }

  /** The protection entry that counted backups wait for stands at `seq`. */
  protectionLogged(seq: bigint): void {
    for (const session of this.in('counted')) session.protectionSeq ??= seq;
  }

  /** The next one whose wait is over, or null. */
  nextToBegin(): PrimarySession | null {
    // Two copies of a machine at once would each take twice as long.
    if (this.served().some((session) => !session.isLoaded())) return null;
    const isWanted = this.backups().length < this.wanted;
    const mayVerify = this.in('verifying').length < MAX_VERIFYING;
    const mayBegin = ({ purpose }: PrimarySession): boolean =>
      purpose === 'protect' ? isWanted : mayVerify;
    return this.in('waiting').find(mayBegin) ?? null;
  }

  /** Up to where every counted backup has the log; null if none counts. */
  committed(policy: PrimaryPolicy, mode: AckMode): bigint | null {
    const committed = this.in('counted').map((session) => policy.committed(session, mode));
    return policy.committedByAll(committed);
  }

  /** Whether one of the counted backups has acked its protection. */
  hasProtected(policy: PrimaryPolicy, mode: AckMode): boolean {
    return this.in('counted').some(
      (session) =>
        session.protectionSeq !== null && policy.committed(session, mode) >= session.protectionSeq,
    );
  }

  /** Those that may be counted from now on. */
  ready(policy: PrimaryPolicy, limits: PairLimits, nowMs: number): PrimarySession[] {
    const mayProtect = (session: PrimarySession): boolean =>
      policy.mayProtect(session.joining(nowMs), limits);
    return this.in('joining').filter(mayProtect);
  }

  /** Those that have to be given up, and why. */
  lost(policy: PrimaryPolicy, limits: PairLimits, nowMs: number): Loss[] {
    const losses: Loss[] = [];
    for (const session of this.served()) {
      const { id, stage } = session;
      const how = policy.backupLost(session.health(nowMs, limits), limits);
      if (how !== null) losses.push({ id, cause: `backup ${how}` });
      // Nobody waits for a verifier, so what it leaves unread must end somewhere.
      else if (stage === 'verifying' && session.queuedBytes >= limits.unackedBytes) {
        losses.push({ id, cause: 'too slow to verify' });
      }
    }
    return losses;
  }

  /** What is to be sent now: log, or a heartbeat where there was silence. */
  feed(
    head: { readonly epoch: bigint; readonly lastSeq: bigint; readonly releasedSeq: bigint },
    policy: PrimaryPolicy,
    limits: PairLimits,
    nowMs: number,
  ): PrimaryEffect[] {
    const effects: PrimaryEffect[] = [];
    for (const session of this.sessions.values()) {
      if (session.isBlocked) continue;
      const named = { session: session.id, ...head };
      if (session.hasPending(head.lastSeq) && policy.flushes(session.pending(nowMs), limits)) {
        const counted = session.stage === 'counted';
        effects.push({ kind: 'send-batch', ...named, firstSeq: session.sentSeq + 1n, counted });
        session.sent(head.lastSeq, nowMs);
      } else if (nowMs - session.sentMs >= limits.heartbeatMs) {
        session.sentMs = nowMs;
        effects.push({ kind: 'send-heartbeat', ...named, timeMs: nowMs });
      }
    }
    return effects;
  }

  /** Up to where nobody needs the log any more, if that is news. */
  trim(): PrimaryEffect[] {
    const throughSeq = least(this.served().map((session) => session.doneSeq));
    if (throughSeq === this.trimmedSeq) return [];
    this.trimmedSeq = throughSeq;
    return [{ kind: 'trim', throughSeq }];
  }

  /** When one of them needs attention if nothing is heard. */
  wakeAtMs(lastSeq: bigint, limits: PairLimits): number {
    let wakeMs = Infinity;
    for (const session of this.served()) {
      wakeMs = Math.min(wakeMs, session.wakeAtMs(lastSeq, limits));
    }
    for (const session of this.in('waiting')) {
      if (!session.isBlocked) wakeMs = Math.min(wakeMs, session.sentMs + limits.heartbeatMs);
    }
    return wakeMs;
  }

  /** Figures of the backups that protect or are about to: of the slowest, where they differ. */
  figures(nowMs: number): RosterFigures {
    const counted = this.in('counted');
    const backups = this.backups();
    const leading = counted.length > 0 ? counted : backups;
    const most = (values: readonly number[]): number => Math.max(0, ...values);
    return {
      receivedSeq: least(leading.map((session) => session.receivedSeq)) ?? 0n,
      replayedSeq: least(leading.map((session) => session.replayedSeq)) ?? 0n,
      unackedBytes: most(backups.map((session) => session.unacked.bytes)),
      unreplayedBytes: most(backups.map((session) => session.unreplayed.bytes)),
      lagMs: most(backups.map((session) => session.lagMs(nowMs))),
      backups: this.all().map(({ id, stage, receivedSeq, replayedSeq }) => {
        return { session: id, stage, receivedSeq, replayedSeq };
      }),
    };
  }
}

export interface RosterFigures {
  readonly receivedSeq: bigint;
  readonly replayedSeq: bigint;
  readonly unackedBytes: number;
  readonly unreplayedBytes: number;
  readonly lagMs: number;
  readonly backups: readonly StreamFigures[];
}

export interface Loss {
  readonly id: number;
  readonly cause: string;
}
