/**
 * A host with the toy machine in its worker, and everything it says, for tests that wait on
 * conditions.
 */

import type { ExecutionContext } from 'ava';
import { present } from '../../lib/base/assert.js';
import type { LockstepError } from '../../lib/base/error.js';
import type { LogEntry } from '../../lib/event/event.js';
import { HartHost, type HartHostOptions } from '../../lib/host/hart-host.js';
import type {
  InputLoggedReport,
  InspectionReport,
  OutputReport,
} from '../../lib/host/hart-messages.js';
import type { MachineStop } from '../../lib/machine/machine.js';
import { TOY_CONFIG, TOY_IMAGES, ascii } from './toy-machine.js';

const TOY_FACTORY = new URL('./toy-machine.js', import.meta.url).href;
const WAIT_LIMIT_MS = 60_000;

export class HostRun {
  readonly entries: LogEntry[] = [];
  readonly outputs: OutputReport[] = [];
  readonly inputs: InputLoggedReport[] = [];
  outputBytes = 0;
  stop: MachineStop | null = null;
  diverged: LockstepError | null = null;
  fatal: Error | null = null;
  reachedStep: bigint | null = null;
  /** While set, what the host reports is not consumed. */
  private blocked: Promise<void> | null = null;
  private host: HartHost | null = null;
  private sent = 0n;
  private waiters: (() => void)[] = [];

  /** The host is stopped at the end of the test. */
  static async start(
    t: ExecutionContext,
    options: Pick<HartHostOptions, 'role'> & Partial<HartHostOptions>,
  ): Promise<HostRun> {
    const run = new HostRun();
    run.host = await HartHost.start({
      config: TOY_CONFIG,
      images: TOY_IMAGES,
      start: { kind: 'boot' },
      machineFactory: TOY_FACTORY,
      ...options,
      listener: {
        onEntries: (entries) => {
          run.entries.push(...entries);
          return run.noted();
        },
        onOutput: (output) => {
          run.outputs.push(output);
          run.outputBytes += output.bytes.length;
          return run.noted();
        },
        onInputLogged: (input) => void run.inputs.push(input),
        onProgress: () => void run.noted(),
        onStopped: (stop) => {
          run.stop = stop;
          void run.noted();
        },
        onReached: (step) => {
          run.reachedStep = step;
          void run.noted();
        },
        onDiverged: (error) => {
          run.diverged = error;
          void run.noted();
        },
        onFatal: (error) => {
          run.fatal = error;
          void run.noted();
        },
      },
    });
    t.teardown(() => run.hart.stop());
    return run;
  }

  get hart(): HartHost {
    return present(this.host, 'host');
  }

  /** Pauses a recording host, and gives where it stands: nothing is logged from then on. */
  async standStill(): Promise<InspectionReport> {
    this.hart.pause();
    // It pauses right after its first answer, and may log how far a follower may come.
    await this.hart.inspect();
    const state = await this.hart.inspect();
    await this.until(() => this.entries.at(-1)?.seq === state.seq);
    return state;
  }

  /** From now on nothing is consumed until the function it returns is called. */
  block(): () => void {
    let open = (): void => {};
    this.blocked = new Promise((resolve) => {
      open = resolve;
    });
    return () => {
      this.blocked = null;
      open();
    };
  }

  send(text: string, client = 9n): void {
    const bytes = ascii(text);
    this.sent += BigInt(bytes.length);
    this.hart.sendConsoleInput({ stream: 'uart', client, sequence: this.sent, bytes });
  }

  text(): string {
    return this.outputs
      .filter(({ stream }) => stream === 'uart')
      .map(({ bytes }) => String.fromCharCode(...bytes))
      .join('');
  }

  /** Resolves once `condition` holds; it is asked after each report and now and then. */
  async until(condition: () => boolean): Promise<void> {
    const endMs = performance.now() + WAIT_LIMIT_MS;
    while (!condition()) {
      if (this.fatal !== null) throw this.fatal;
      if (performance.now() > endMs) throw new Error(this.complaint(String(condition)));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5);
        this.waiters.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** What a host that does not get there says of itself. */
  private complaint(what: string): string {
    const { seq, steps, parked } = this.hart.progress();
    const where = `at entry ${seq}, step ${steps.join(', ')}${parked ? ', parked' : ''}`;
    const diverged = this.diverged === null ? '' : `; diverged: ${this.diverged.message}`;
    return `waited too long for ${what}: ${where}, ${this.entries.length} entries${diverged}`;
  }

  private noted(): void | Promise<void> {
    for (const wake of this.waiters.splice(0)) wake();
    if (this.blocked !== null) return this.blocked;
  }
}
