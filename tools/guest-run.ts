/**
 * Runs a guest in this process with its console on the terminal, until it ends, reaches a step, or
 * the user has enough of it. Shared by `lockstep run` and `lockstep record`.
 */

import { HartHost, type HartListener } from '../lib/host/hart-host.js';
import type { DiskFiles } from '../lib/host/overlay-file.js';
import type { ClockMode, HostRole, InspectionReport } from '../lib/host/hart-messages.js';
import type { InputStream, LogEntry } from '../lib/event/event.js';
import type { MachineStop } from '../lib/machine/machine.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import { GuestNetwork } from './guest-network.js';
import { GuestTerminal } from './guest-terminal.js';

/** The terminal is one client among others that a log may have. */
const TERMINAL_CLIENT = 1n;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** A recording that is told to end powers the machine off; it must not take longer than this. */
const POWER_OFF_LIMIT_MS = 10_000;

export interface GuestRunOptions {
  readonly spec: MachineSpec;
  readonly role: HostRole;
  readonly clock: ClockMode;
  readonly disks: readonly DiskFiles[];
  readonly untilStep: bigint | null;
  /** Which console the terminal shows and feeds. */
  readonly console: InputStream;
  /** Takes the log of a recording; an error ends the run. */
  readonly onEntries?: (entries: readonly LogEntry[]) => void;
  /** The machine is copied at the end; for a host that records. */
  readonly takesSnapshot?: boolean;
  /** All state is hashed at the end. */
  readonly hashesState?: boolean;
  /** Called once the machine is built, before it runs: its digest is known. */
  readonly onBuilt?: (digest: string) => void;
}

export type GuestEnd =
  | { readonly kind: 'stopped'; readonly stop: MachineStop }
  | { readonly kind: 'reached'; readonly step: bigint }
  /** The user or a signal ended it. */
  | { readonly kind: 'interrupted'; readonly status: number };

export interface GuestRunResult {
  readonly end: GuestEnd;
  readonly state: InspectionReport;
  /** Over all words and pages at the end, null if nobody asked for it. */
  readonly stateHash: bigint | null;
  readonly wallSeconds: number;
  /** Guest RAM, read after the end. */
  readonly ram: Uint8Array | null;
  /** The machine at the end, null if nobody asked for it. */
  readonly snapshot: Uint8Array | null;
}

/** A range of guest RAM to read at the end. */
export interface RamRange {
  readonly address: bigint;
  readonly bytes: number;
}

/** Errors: those of building the machine, of `onEntries`, and of the worker. */
export async function runGuest(
  options: GuestRunOptions,
  ramWanted: RamRange | null,
): Promise<GuestRunResult> {
  const run = new GuestRun(options);
  try {
    return await run.complete(ramWanted);
  } finally {
    await run.close();
  }
}

class GuestRun {
  private readonly options: GuestRunOptions;
  private readonly terminal: GuestTerminal;
  private readonly ended: Promise<GuestEnd>;
  private end: (end: GuestEnd) => void = () => undefined;
  private fail: (error: unknown) => void = () => undefined;
  private host: HartHost | null = null;
  private network: GuestNetwork | null = null;
  private interruptedStatus: number | null = null;
  private readonly signalled = Object.entries(SIGNALS).map(
    ([signal, status]) => [signal, () => this.interrupt(status)] as const,
  );

  constructor(options: GuestRunOptions) {
    this.options = options;
    this.ended = new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
    // Whoever waits for it gets the failure; before that it must not count as unobserved.
    this.ended.catch(() => undefined);
    this.terminal = new GuestTerminal({
      send: (bytes, sequence) =>
        this.host?.sendConsoleInput({
          stream: options.console,
          client: TERMINAL_CLIENT,
          sequence,
          bytes,
        }),
      quit: () => this.interrupt(0),
    });
  }

  async complete(ramWanted: RamRange | null): Promise<GuestRunResult> {
    const { spec, role, clock, untilStep } = this.options;
    const host = await HartHost.start({
      config: spec.config,
      images: spec.images,
      engine: spec.engine,
      disks: this.options.disks,
      start: { kind: 'boot' },
      role,
      clock,
      listener: this.listener(),
      ...(untilStep === null ? {} : { untilStep }),
      ...(spec.machineFactory === null ? {} : { machineFactory: spec.machineFactory }),
    });
    this.host = host;
    this.network = GuestNetwork.open(spec, host, (error) => this.fail(error));
    const startMs = performance.now();
    for (const [signal, act] of this.signalled) process.on(signal, act);
    this.options.onBuilt?.(host.digest);
    this.terminal.open();
    const end = await this.ended;
    const wallSeconds = (performance.now() - startMs) / 1000;
    if (end.kind === 'interrupted') host.pause();
    const state = await host.inspect();
    const stateHash = this.options.hashesState === true ? await host.stateHash() : null;
    const ram = ramWanted === null ? null : await host.readRam(ramWanted.address, ramWanted.bytes);
    const snapshot = this.options.takesSnapshot === true ? (await host.snapshot()).bytes : null;
    return { end, state, stateHash, wallSeconds, ram, snapshot };
  }

  async close(): Promise<void> {
    for (const [signal, act] of this.signalled) process.off(signal, act);
    this.network?.close();
    await this.host?.stop();
    this.terminal.close();
  }

  private listener(): HartListener {
    return {
      onEntries: (entries) => {
        try {
          this.options.onEntries?.(entries);
        } catch (error) {
          this.fail(error);
        }
      },
      onOutput: ({ stream, offset, bytes }) => {
        if (stream === 'network') this.network?.output(offset, bytes);
        return stream === this.options.console ? this.terminal.write(bytes) : undefined;
      },
      onInputLogged: ({ sequence }) => this.terminal.acknowledge(sequence),
      onStopped: (stop) => {
        const status = this.interruptedStatus;
        this.end(status === null ? { kind: 'stopped', stop } : { kind: 'interrupted', status });
      },
      onReached: (step) => this.end({ kind: 'reached', step }),
      onFatal: (error) => this.fail(error),
    };
  }

  /** A recording ends in order, with a last entry that says so; a second signal ends it at once. */
  private interrupt(status: number): void {
    const end: GuestEnd = { kind: 'interrupted', status };
    if (this.options.role.kind !== 'record' || this.interruptedStatus !== null) {
      this.end(end);
      return;
    }
    this.interruptedStatus = status;
    this.host?.powerOff();
    setTimeout(() => this.end(end), POWER_OFF_LIMIT_MS).unref();
  }
}
