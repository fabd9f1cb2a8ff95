/**
 * The main thread's end of a machine that runs on a worker thread of its own.
 *
 *      main thread                         worker (hart-worker.ts)
 *      HartHost  -- orders, bell -------->  session + machine, loops until told to stop
 *                <-- reports, progress ---
 *
 * The worker records, or replays and may be promoted to recording in place. What it reports is
 * counted in bytes until the listener has consumed it (returned, or its promise is settled); over
 * the budget the worker stops the guest, so memory is bounded however slow the listener is.
 *
 * An exception in the worker, or its death, is fatal to the node: the machine behind it is never
 * promoted and never asked again.
 */

import type { Worker } from 'node:worker_threads';
import { assert, unreachable } from '../base/assert.js';
import { LockstepError } from '../base/error.js';
import type { LogEntry, OutputStream } from '../event/event.js';
import type { MachineConfig, MachineImages } from '../machine/config.js';
import { DEFAULT_ENGINE, type EngineOptions } from '../machine/engine.js';
import type { EngineFigures, HartListener, HartProgress } from './hart-listener.js';
import type { CopyStep } from '../session/page-copy.js';
import type { DiskFiles } from './overlay-file.js';
import {
  CONTROL,
  createControlBuffer,
  unpackError,
  viewControl,
  type Answer,
  type ClockMode,
  type ConsoleInputOrder,
  type ControlBlock,
  type CopyReport,
  type HostRole,
  type HostStart,
  type InspectionReport,
  type Order,
  type PromotionReport,
  type Report,
  type SnapshotReport,
  type StreamTail,
  type WorkerStart,
} from './hart-messages.js';
import { RISCV_MACHINE } from './machine-module.js';
import { takeWorker } from './prepared-worker.js';
import { shareImages } from './shared-images.js';
import type { FlushMode } from './log-store/writer.js';
import { readEngineFigures, readProgress } from './progress-reporter.js';
import { firstReport } from './hart-host-start.js';

export type { HartListener, HartProgress } from './hart-listener.js';

export interface HartHostOptions {
  readonly config: MachineConfig;
  readonly images: MachineImages;
  /** Files of the disks, in the order of the configuration; default none. */
  readonly disks?: readonly DiskFiles[];
  readonly start: HostStart;
  readonly role: HostRole;
  readonly listener: HartListener;
  /** Default `host`. */
  readonly clock?: ClockMode;
  /** The host rests when hart 0 has counted this many steps. */
  readonly untilStep?: bigint;
  /** How guest code runs; no effect on results. Default the compiler. */
  readonly engine?: EngineOptions;
  /** Module that exports `createMachine(config, images, engine)`; default the RISC-V machine. */
  readonly machineFactory?: string;
  /** Report bytes that may be unconsumed before the guest is stopped; default 4 MiB. */
  readonly reportBudgetBytes?: number;
}

const DEFAULT_REPORT_BUDGET_BYTES = 4 << 20;

interface PendingRequest {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export class HartHost {
  /** Digest of layout, configuration and images; equal on both replicas. */
  readonly digest: string;
  private readonly worker: Worker;
  private readonly control: ControlBlock;
  private readonly listener: HartListener;
  private readonly hartCount: number;
  private readonly requests = new Map<number, PendingRequest>();
  private nextRequest = 1;
  /** Null while the worker is in order; the reason why every call is refused otherwise. */
  private ended: Error | null = null;

  private constructor(parts: {
    worker: Worker;
    control: ControlBlock;
    listener: HartListener;
    digest: string;
    hartCount: number;
  }) {
    this.worker = parts.worker;
    this.control = parts.control;
    this.listener = parts.listener;
    this.digest = parts.digest;
    this.hartCount = parts.hartCount;
  }

  /**
   * Builds the machine in a worker and lets it run. Errors in images, configuration or snapshot
   * reject with their code (BAD_IMAGE, USAGE, BAD_SNAPSHOT, IO).
   */
  static async start(options: HartHostOptions): Promise<HartHost> {
    const buffer = createControlBuffer();
    const control = viewControl(buffer);
    Atomics.store(control.words, CONTROL.throttlePermille, 1000);
    const start: WorkerStart = {
      config: options.config,
      images: shareImages(options.images),
      engine: options.engine ?? DEFAULT_ENGINE,
      disks: options.disks ?? [],
      machineFactory: options.machineFactory ?? RISCV_MACHINE,
      start: options.start,
      role: options.role,
      clock: options.clock ?? 'host',
      untilStep: options.untilStep ?? null,
      reportBudgetBytes: options.reportBudgetBytes ?? DEFAULT_REPORT_BUDGET_BYTES,
      control: buffer,
    };
    const worker = takeWorker(start.machineFactory);
    worker.postMessage(start);
    const ready = await firstReport(worker);
    if (ready.kind === 'fatal') {
      await worker.terminate();
      throw unpackError(ready.error);
    }
    assert(ready.kind === 'ready', `a worker's first report is ${ready.kind}`);
    const { digest, hartCount } = ready;
    const { listener } = options;
    const host = new HartHost({ worker, control, listener, digest, hartCount });
    worker.on('message', (report: Report) => host.receive(report));
    worker.on('error', (error) => host.fail(error));
    worker.on('exit', (code) => host.fail(new Error(`hart worker exited with ${code}`)));
    host.post({ kind: 'go' });
    return host;
  }

  /**
   * Queues console bytes; `onInputLogged` tells when they are in the log. USAGE if the sequence
   * does not count bytes.
   */
  sendConsoleInput(input: ConsoleInputOrder): void {
    if (input.client !== 0n && input.sequence < BigInt(input.bytes.length)) {
      throw new LockstepError(
        'USAGE',
        `input sequence ${input.sequence} of client ${input.client} counts fewer bytes than sent`,
      );
    }
    this.post({ kind: 'input', input });
  }

  /** Frames from the network for the machine's card; any may be lost (record only). */
  sendFrames(frames: readonly Uint8Array[]): void {
    this.post({ kind: 'frames', frames });
  }

  /** Gives a replaying host the next entries, without gaps. */
  feed(entries: readonly LogEntry[]): void {
    this.post({ kind: 'feed', entries });
  }

  /** Tells a replaying host that output before `offset` has left, so it need not be kept. */
  released(stream: OutputStream, offset: bigint): void {
    this.post({ kind: 'released', stream, offset });
  }

  /**
   * Turns a replaying host into a recording one: replays everything fed so far, logs `epoch` and
   * goes on. Rejects with DIVERGED if the log turns out not to fit, with GUEST_STOPPED if the
   * guest has switched itself off.
   */
  async promote(epoch: bigint): Promise<PromotionReport> {
    const answer = await this.ask((request) => ({ kind: 'promote', request, epoch }));
    assert(answer.kind === 'promoted', `promote answered by ${answer.kind}`);
    return answer.promotion;
  }

  /**
   * A copy of the machine between two slices. A recording host logs it as a control entry and a
   * page-level check first, so that whoever starts from the copy compares equal later on.
   */
  async snapshot(): Promise<SnapshotReport> {
    const answer = await this.ask((request) => ({ kind: 'snapshot', request }));
    assert(answer.kind === 'snapshot', `snapshot answered by ${answer.kind}`);
    return answer.snapshot;
  }

  /** A step of a copy of the pages while the guest runs on; `snapshot` ends it. */
  async copyPages(step: CopyStep): Promise<CopyReport> {
    const answer = await this.ask((request) => ({ kind: 'copy', request, step }));
    assert(answer.kind === 'copied', `copy answered by ${answer.kind}`);
    return answer.copy;
  }

  /**
   * Writes the machine that a replaying host was given, and has not moved yet, into the directory
   * of its log. Errors: IO.
   */
  async writeStart(directory: string, flush: FlushMode): Promise<void> {
    const order = { kind: 'write-start', directory, flush } as const;
    const answer = await this.ask((request) => ({ ...order, request }));
    assert(answer.kind === 'start-written', `write-start answered by ${answer.kind}`);
  }

  /** What a replaying host keeps of the output it has swallowed, as a promotion would give it. */
  async outputs(): Promise<readonly StreamTail[]> {
    const answer = await this.ask((request) => ({ kind: 'outputs', request }));
    assert(answer.kind === 'outputs', `outputs answered by ${answer.kind}`);
    return answer.outputs;
  }

  /** Hash over all words and over all RAM pages that are not zero, between two slices. */
  async stateHash(): Promise<bigint> {
    const answer = await this.ask((request) => ({ kind: 'hash-state', request }));
    assert(answer.kind === 'state-hash', `hash-state answered by ${answer.kind}`);
    return answer.hash;
  }

  /** Counters and words between two slices. */
  async inspect(): Promise<InspectionReport> {
    const answer = await this.ask((request) => ({ kind: 'inspect', request }));
    assert(answer.kind === 'inspection', `inspect answered by ${answer.kind}`);
    return answer.inspection;
  }

  /** Guest RAM at a physical address; USAGE if the range is not in RAM. */
  async readRam(address: bigint, bytes: number): Promise<Uint8Array> {
    const answer = await this.ask((request) => ({ kind: 'read-ram', request, address, bytes }));
    assert(answer.kind === 'ram', `read-ram answered by ${answer.kind}`);
    return answer.bytes;
  }

  /**
   * Logs an `epoch` entry (record only): a newer epoch, or the present one again, which begins its
   * protection.
   */
  logEpoch(epoch: bigint): void {
    this.post({ kind: 'epoch', epoch });
  }

  /** Switches the machine off by a logged control event (record only). */
  powerOff(): void {
    this.post({ kind: 'power-off' });
  }

  /** Share of time the guest may run: 1000 is all, 1 the least. */
  setThrottle(permille: number): void {
    assert(permille >= 1 && permille <= 1000, `throttle of ${permille} permille`);
    Atomics.store(this.control.words, CONTROL.throttlePermille, permille);
    this.ring();
  }

  /** Stops the guest between two slices; orders are still carried out. */
  pause(): void {
    Atomics.store(this.control.words, CONTROL.pause, 1);
    this.ring();
  }

  resume(): void {
    Atomics.store(this.control.words, CONTROL.pause, 0);
    this.ring();
  }

  /** The latest counters, read from shared memory: no message, no waiting. */
  progress(): HartProgress {
    return readProgress(this.control, this.hartCount);
  }

  /** The same of the compiler. */
  engine(): EngineFigures {
    return readEngineFigures(this.control);
  }

  /** Ends the worker; what it had not reported yet is dropped. Safe to call twice. */
  async stop(): Promise<void> {
    this.end(new Error('the host was stopped'));
    Atomics.store(this.control.words, CONTROL.stop, 1);
    this.ring();
    Atomics.notify(this.control.words, CONTROL.unconsumedBytes);
    await this.worker.terminate();
  }

  private ring(): void {
    Atomics.add(this.control.words, CONTROL.bell, 1);
    Atomics.notify(this.control.words, CONTROL.bell);
  }

  private post(order: Order): void {
    if (this.ended !== null) return;
    this.worker.postMessage(order);
    this.ring();
  }

  private ask(order: (request: number) => Order): Promise<Answer> {
    if (this.ended !== null) return Promise.reject(this.ended);
    const request = this.nextRequest++;
    return new Promise((resolve, reject) => {
      this.requests.set(request, { resolve, reject });
      this.post(order(request));
    });
  }

  /** A listener that fails is as fatal as a worker that does: what it was told is lost. */
  private receive(report: Report): void {
    if (this.ended !== null) return;
    try {
      this.take(report);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private take(report: Report): void {
    switch (report.kind) {
      case 'slice':
        this.takeSlice(report);
        return;
      case 'progress':
        this.listener.onProgress?.(report);
        return;
      case 'reached':
        this.listener.onReached?.(report.step);
        return;
      case 'stopped':
        this.listener.onStopped?.(report.stop, report.seq);
        return;
      case 'diverged': {
        const error = unpackError(report.error);
        assert(error instanceof LockstepError, `divergence without a code: ${error.message}`);
        this.listener.onDiverged?.(error);
        return;
      }
      case 'answer':
        this.settle(report.request)?.resolve(report.answer);
        return;
      case 'refused':
        this.settle(report.request)?.reject(unpackError(report.error));
        return;
      case 'fatal':
        this.fail(unpackError(report.error));
        return;
      case 'ready':
        return;
      default:
        unreachable(report);
    }
  }

  private takeSlice(report: Extract<Report, { kind: 'slice' }>): void {
    const waits: Promise<void>[] = [];
    const note = (result: void | Promise<void>): void => {
      if (result instanceof Promise) waits.push(result);
    };
    if (report.entries.length > 0) note(this.listener.onEntries?.(report.entries));
    for (const output of report.outputs) note(this.listener.onOutput?.(output, report.atNs));
    for (const input of report.inputs) this.listener.onInputLogged?.(input);
    const { costBytes } = report;
    if (waits.length === 0) {
      this.consume(costBytes);
      return;
    }
    Promise.all(waits).then(
      () => this.consume(costBytes),
      (error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  private consume(costBytes: number): void {
    Atomics.sub(this.control.words, CONTROL.unconsumedBytes, costBytes);
    Atomics.notify(this.control.words, CONTROL.unconsumedBytes);
  }

  private settle(request: number): PendingRequest | undefined {
    const pending = this.requests.get(request);
    this.requests.delete(request);
    return pending;
  }

  private fail(error: Error): void {
    if (this.ended !== null) return;
    this.end(error);
    void this.worker.terminate();
    this.listener.onFatal(error);
  }

  private end(reason: Error): void {
    if (this.ended !== null) return;
    this.ended = reason;
    for (const pending of this.requests.values()) pending.reject(reason);
    this.requests.clear();
  }
}
