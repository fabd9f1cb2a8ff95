/**
 * What each backup of a simulated primary was sent, and when it last acknowledged something new:
 * for the checkers alone.
 */

interface Progress {
  sentSeq: bigint;
  receivedSeq: bigint;
  replayedSeq: bigint;
  atMs: number;
}

export class AckProgress {
  /** When any of them was heard. */
  heardAtMs = 0;
  private readonly sessions = new Map<number, Progress>();

  /** A stream begins; those that have ended are forgotten, but for the newest losses. */
  opened(session: number, open: ReadonlyMap<number, unknown>, nowMs: number): void {
    for (const known of this.sessions.keys()) {
      if (!open.has(known)) this.sessions.delete(known);
    }
    this.sessions.set(session, { sentSeq: 0n, receivedSeq: 0n, replayedSeq: 0n, atMs: nowMs });
  }

  sent(session: number, seq: bigint): void {
    const known = this.sessions.get(session);
    if (known !== undefined) known.sentSeq = seq;
  }

  /** Whether entry `seq` is on its way to anybody. */
  hasSent(seq: bigint): boolean {
    return [...this.sessions.values()].some(({ sentSeq }) => sentSeq >= seq);
  }

  acked(
    session: number,
    ack: { readonly receivedSeq: bigint; readonly replayedSeq: bigint },
    nowMs: number,
  ): void {
    this.heardAtMs = nowMs;
    const known = this.sessions.get(session);
    if (known === undefined) return;
    if (ack.receivedSeq <= known.receivedSeq && ack.replayedSeq <= known.replayedSeq) return;
    known.receivedSeq = ack.receivedSeq;
    known.replayedSeq = ack.replayedSeq;
    known.atMs = nowMs;
  }

  /** Since when the backup that has waited for longest has acknowledged nothing new. */
  stuckSinceMs(): number {
    return Math.min(...[...this.sessions.values()].map(({ atMs }) => atMs));
  }
}
