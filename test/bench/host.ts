/**
 * What a figure depends on beside the code: the machine, the versions, the load.
 */

import { cpus, loadavg, release } from 'node:os';

export interface HostDescription {
  readonly processors: number;
  readonly processor: string;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly qemu: string | null;
  /** Over the minute before the first run. */
  readonly load: number;
  readonly runs: number;
}

export function describeHost(qemu: string | null, runs: number): HostDescription {
  const processors = cpus();
  return {
    processors: processors.length,
    processor: processors[0]?.model.trim() ?? 'unknown',
    system: `${process.platform} ${release()} ${process.arch}`,
    node: process.version,
    v8: process.versions.v8,
    qemu,
    load: loadavg()[0] ?? 0,
    runs,
  };
}

export function hostLines(host: HostDescription): string[] {
  const { processors, processor, system, node, v8, qemu, load, runs } = host;
  return [
    `${processors} processors (${processor}), ${system}, load ${load.toFixed(2)} at the start`,
    `Node ${node} (V8 ${v8}); ${qemu ?? 'no QEMU here: Lockstep runs alone'}`,
    `${runs === 1 ? 'one run' : `medians of ${runs} runs`}, whole processes, emulators in turn`,
  ];
}
