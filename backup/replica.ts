/**
 * The backup's machine and the log it was built from: one cannot be replaced without the other.
 *
 * A replica begins at power-on or at a snapshot. It keeps every batch it accepted (in memory, and
 * in a file where there is a state directory), feeds the machine, and knows which outputs the
 * primary has let out and which of the log's state hashes the machine has passed.
 *
 * Invariant: the machine is fed exactly what the tail holds, in the same order. It is fed a turn of
 * the event loop later, when the acknowledgement is on its way: waking its thread first would have
 * it compete for a processor with what output waits for.
 */

import type { LogEntry, OutputStream } from '../lib/event/event.js';
import type { Batch } from '../lib/event/batch.js';
import { startOfChain, type LogStart } from '../lib/host/log-store/meta.js';
import { HartPort } from '../lib/node/hart-port.js';
import { createLogFiles, type LogFiles } from '../lib/node/log-files.js';
import { LogTail, type TailBatch } from '../lib/node/log-tail.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { NodeStorage } from '../lib/node/node-storage.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import type { ReceivedMachine } from './transfer.js';

interface Mark {
  readonly seq: bigint;
  readonly stream: OutputStream;
  readonly offset: bigint;
}

interface Check {
  readonly seq: bigint;
  readonly step: bigint;
}

export interface AcceptedBatch {
  readonly decoded: Batch;
  readonly kept: TailBatch;
}

export class Replica {
  readonly hart: HartPort;
  readonly tail: LogTail;
  readonly files: LogFiles | null;
  readonly histories: ReadonlyMap<OutputStream, StreamHistory>;
  /** State hashes that compared equal, and the step of the newest. */
  checksPassed = 0;
  lastCheckedStep = 0n;
  private readonly marks: Mark[] = [];
  private readonly checks: Check[] = [];
  private unfed: LogEntry[] = [];
  private readonly untold = new Map<OutputStream, bigint>();
  private isScheduled = false;

  private constructor(parts: {
    hart: HartPort;
    tail: LogTail;
    files: LogFiles | null;
    histories: ReadonlyMap<OutputStream, StreamHistory>;
  }) {
    this.hart = parts.hart;
    this.tail = parts.tail;
    this.files = parts.files;
    this.histories = parts.histories;
  }

  /** A machine at power-on. Errors: as HartPort.start and createLogFiles. */
  static async powerOn(spec: MachineSpec, storage: NodeStorage | null): Promise<Replica> {
    const role = { kind: 'replay', firstSeq: 1n } as const;
    const hart = await HartPort.start({ spec, start: { kind: 'boot' }, role, storage });
    const start = startOfChain(hart.digest);
    const files = storage === null ? null : createLogFiles(storage, spec, hart.digest, start);
    const tail = new LogTail({ seq: 0n, hash: start.previousHash }, files);
    return new Replica({ hart, tail, files, histories: new Map() });
  }

  /** A machine that another node has run so far. Errors: also BAD_SNAPSHOT. */
  static async restore(
    spec: MachineSpec,
    storage: NodeStorage | null,
    received: ReceivedMachine,
  ): Promise<Replica> {
    const { seq, chain, snapshot, copied, histories } = received;
    const firstSeq = seq + 1n;
    const start = { kind: 'snapshot', snapshot, copied } as const;
    const role = { kind: 'replay', firstSeq } as const;
    const hart = await HartPort.start({ spec, start, role, storage });
    const begin = { firstSeq, previousHash: chain };
    const files = storage === null ? null : await createStart(hart, storage, { spec, begin });
    const tail = new LogTail({ seq, hash: chain }, files);
    return new Replica({ hart, tail, files, histories });
  }

  /** Keeps a batch, and gives it to the machine soon. */
  accept({ decoded, kept }: AcceptedBatch): void {
    this.tail.append(kept);
    for (const entry of decoded.entries) {
      this.unfed.push(entry);
      this.note(entry);
    }
    this.schedule();
  }

  /** The last entry kept, once everything up to it is as safe as acknowledgements say. */
  async flushed(): Promise<bigint> {
    const { lastSeq } = this.tail;
    await this.files?.flush();
    return lastSeq;
  }

  /** Outputs marked up to entry `seq` have left the primary. */
  released(seq: bigint): void {
    let count = 0;
    for (const mark of this.marks) {
      if (mark.seq > seq) break;
      this.untold.set(mark.stream, mark.offset);
      count += 1;
    }
    this.marks.splice(0, count);
    if (count > 0) this.schedule();
  }

  /** The machine has applied the log up to entry `seq`. */
  replayed(seq: bigint): void {
    let count = 0;
    for (const check of this.checks) {
      if (check.seq > seq) break;
      this.lastCheckedStep = check.step;
      count += 1;
    }
    this.checks.splice(0, count);
    this.checksPassed += count;
  }

  async close(): Promise<void> {
    await this.hart.stop();
    await this.files?.close();
  }

  /** Closes a replica that another one replaces; its log stays. */
  async discard(): Promise<void> {
    await this.hart.discard();
    await this.files?.close();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.tellMachine();
    });
  }

  private tellMachine(): void {
    const { host } = this.hart;
    const { unfed } = this;
    this.unfed = [];
    if (unfed.length > 0) host.feed(unfed);
    for (const [stream, offset] of this.untold) host.released(stream, offset);
    this.untold.clear();
  }

  private note({ seq, event }: LogEntry): void {
    if (event.kind === 'output-mark') {
      this.marks.push({ seq, stream: event.stream, offset: event.offset });
    } else if (event.kind === 'state-hash') this.checks.push({ seq, step: event.step });
  }
}

/** The log of a machine that was given, which begins with it. Errors: IO; the machine is ended. */
async function createStart(
  hart: HartPort,
  storage: NodeStorage,
  { spec, begin }: { readonly spec: MachineSpec; readonly begin: LogStart },
): Promise<LogFiles> {
  try {
    const files = createLogFiles(storage, spec, hart.digest, begin);
    // The worker has the machine; this thread goes on answering the primary.
    await hart.host.writeStart(files.directory, storage.ack);
    return files;
  } catch (error) {
    await hart.discard();
    throw error;
  }
}
