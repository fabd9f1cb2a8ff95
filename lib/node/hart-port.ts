/**
 * The machine of a node: a HartHost whose listener can change hands, so that a promotion passes
 * the running machine from the backup's role to the primary's.
 *
 * Reports that arrive while nobody listens are kept in order and given to the next listener: a
 * machine may be built and started before the arbiter has allowed it to matter.
 */

import { HartHost, type HartListener, type HartProgress } from '../host/hart-host.js';
import type { EngineFigures } from '../host/hart-listener.js';
import type { HostRole, HostStart } from '../host/hart-messages.js';
import type { MachineConfig } from '../machine/config.js';
import { createNodeDisks, removeNodeDisks, type NodeDisks } from './disk-files.js';
import type { MachineSpec } from './machine-spec.js';
import type { NodeStorage } from './node-storage.js';

export interface HartPortOptions {
  readonly spec: MachineSpec;
  readonly start: HostStart;
  readonly role: HostRole;
  /** Where the disks' overlays are kept; null for nowhere. */
  readonly storage: NodeStorage | null;
}

type Report = (listener: HartListener) => void | Promise<void>;

export class HartPort {
  readonly host: HartHost;
  private readonly spec: MachineSpec;
  private readonly relay: Relay;
  private readonly disks: NodeDisks;

  private constructor(spec: MachineSpec, host: HartHost, relay: Relay, disks: NodeDisks) {
    this.spec = spec;
    this.host = host;
    this.relay = relay;
    this.disks = disks;
  }

  /** Builds the machine. Reports wait until `listen`. Errors: as HartHost.start. */
  static async start({ spec, start, role, storage }: HartPortOptions): Promise<HartPort> {
    const relay = new Relay();
    const disks = createNodeDisks(spec, storage);
    const host = await HartHost.start({
      config: spec.config,
      images: spec.images,
      engine: spec.engine,
      disks: disks.files,
      start,
      role,
      listener: relay.listener,
      ...(spec.machineFactory === null ? {} : { machineFactory: spec.machineFactory }),
    });
    return new HartPort(spec, host, relay, disks);
  }

  get config(): MachineConfig {
    return this.spec.config;
  }

  get digest(): string {
    return this.host.digest;
  }

  progress(): HartProgress {
    return this.host.progress();
  }

  engine(): EngineFigures {
    return this.host.engine();
  }

  /** Gives `listener` what waits, and then every report; null makes reports wait. */
  listen(listener: HartListener | null): void {
    this.relay.listen(listener);
  }

  stop(): Promise<void> {
    this.relay.listen(null);
    return this.host.stop();
  }

  /** Ends a machine that another one replaces, and removes what it had written to its disks. */
  async discard(): Promise<void> {
    await this.stop();
    removeNodeDisks(this.disks);
  }
}

class Relay {
  readonly listener: HartListener;
  private target: HartListener | null = null;
  private waiting: { report: Report; done: () => void; failed: (error: unknown) => void }[] = [];

  constructor() {
    this.listener = {
      onEntries: (entries) => this.pass((target) => target.onEntries?.(entries)),
      onOutput: (output, atNs) => this.pass((target) => target.onOutput?.(output, atNs)),
      onInputLogged: (input) => void this.pass((target) => target.onInputLogged?.(input)),
      onProgress: (progress) => this.target?.onProgress?.(progress),
      onStopped: (stop, seq) => void this.pass((target) => target.onStopped?.(stop, seq)),
      onDiverged: (error) => void this.pass((target) => target.onDiverged?.(error)),
      onFatal: (error) => void this.pass((target) => target.onFatal(error)),
    };
  }

  listen(target: HartListener | null): void {
    this.target = target;
    if (target === null) return;
    for (const { report, done, failed } of this.waiting.splice(0)) {
      Promise.resolve(report(target)).then(done, failed);
    }
  }

  private pass(report: Report): void | Promise<void> {
    if (this.target !== null) return report(this.target);
    return new Promise((done, failed) => {
      this.waiting.push({ report, done, failed });
    });
  }
}
