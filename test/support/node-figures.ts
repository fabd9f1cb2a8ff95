/**
 * Figures of a running node from outside: its metrics page, its resident memory, its
 * processor time.
 */

import { readFileSync } from 'node:fs';
import type { NodeProcess } from '../../tools/demo/node-process.js';
import { insist } from './campaign-checks.js';

/** Of /proc, on every Linux for this processor. */
const TICKS_PER_SECOND = 100;

/** A node started with `--metrics 127.0.0.1:0`: its page as values by series. */
export async function readMetrics(node: NodeProcess): Promise<ReadonlyMap<string, number>> {
  const address = String((await node.heard('ready'))['metrics']);
  const response = await fetch(`http://${address}/metrics`);
  const values = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const found = /^([a-z_]+)(?:\{([^}]*)\})? ([^ ]+)/.exec(line);
    if (found === null) continue;
    const [, name = '', labels = '', value = ''] = found;
    const own = labels.split(',').filter((label) => label !== '' && !label.startsWith('vm='));
    const key = own.length === 0 ? name : `${name}{${own.join(',')}}`;
    values.set(key, Number(value));
  }
  return values;
}

/** One series of a page; it must be there. */
export function series(page: ReadonlyMap<string, number>, key: string): number {
  const value = page.get(key);
  insist(value !== undefined, `the metrics have ${key}`);
  return value;
}

/** Resident memory of a node's process, in bytes. */
export function residentBytes(node: NodeProcess): number {
  const text = readFileSync(`/proc/${node.child.pid ?? 0}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? '0') * 1024;
}

/** Processor time that a node's process has used, all threads, in seconds. */
export function cpuSeconds(node: NodeProcess): number {
  const text = readFileSync(`/proc/${node.child.pid ?? 0}/stat`, 'utf8');
  // The name of the program, in parentheses, may hold spaces; what follows does not.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/**
 * Quantiles, in the histogram's unit, of what a histogram counted between two pages: linear within
 * a bucket, and the bound of the last bucket at most.
 */
export function histogramBetween(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  name: string,
  stream: string,
): (share: number) => number {
  const buckets: (readonly [bound: number, count: number])[] = [];
  for (const [key, value] of after) {
    if (!key.startsWith(`${name}_bucket{`) || !key.includes(`stream="${stream}"`)) continue;
    const bound = /le="([^"]+)"/.exec(key)?.[1] ?? '';
    buckets.push([bound === '+Inf' ? Infinity : Number(bound), value - (before.get(key) ?? 0)]);
  }
  buckets.sort((a, b) => a[0] - b[0]);
  const total = buckets.at(-1)?.[1] ?? 0;
  return (share) => {
    let [lower, below] = [0, 0];
    for (const [bound, count] of buckets) {
      if (count >= total * share && count > below) {
        if (bound === Infinity) return lower;
        return lower + ((bound - lower) * (total * share - below)) / (count - below);
      }
      [lower, below] = [bound, count];
    }
    return lower;
  };
}
