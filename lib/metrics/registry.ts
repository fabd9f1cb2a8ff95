/**
 * The metrics of one node, typed by the catalogue, on top of prom-client.
 *
 * Gauges that mirror a state are not pushed at each change: samplers run once before a rendering.
 * A rendering is kept for a short time, so a thousand scrapes a second cost one.
 */

import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { present } from '../base/assert.js';
import {
  METRICS,
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
} from './catalogue.js';
import type { MetricDefinition } from './definition.js';

/** How long a rendering is served again. */
const RENDER_CACHE_MS = 250;
const NANOSECONDS = 1e9;

type PlainLabels = Record<string, string>;

/** What has to be added to a counter. */
export interface Tally {
  sum: number;
}

export class NodeMetrics {
  readonly contentType: string;
  private readonly registry = new Registry();
  private readonly gauges = new Map<string, Gauge>();
  private readonly counters = new Map<string, Counter>();
  private readonly histograms = new Map<string, Histogram>();
  /** Last value of counters that follow a total kept elsewhere. */
  private readonly totals = new Map<string, number>();
  private samplers: (() => void)[] = [];
  private readonly ownSamplers: number;
  private readonly loopDelay = monitorEventLoopDelay({ resolution: 10 });
  private cached: { readonly atMs: number; readonly text: Promise<string> } | null = null;

  constructor(machineId: string, version: string) {
    this.contentType = this.registry.contentType;
    this.registry.setDefaultLabels({ vm: machineId });
    for (const [name, definition] of METRICS) this.define(name, definition);
    this.set('lockstep_build_info', { version, node_version: process.version }, 1);
    const startedMs = performance.timeOrigin;
    this.set('process_start_time_seconds', {}, startedMs / 1000);
    this.loopDelay.enable();
    this.onSample(() => this.sampleProcess());
    this.ownSamplers = this.samplers.length;
  }

  set<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void {
    present(this.gauges.get(name), name).set(plain(labels), value);
  }

  add<N extends CounterName>(name: N, labels: LabelsOf<N>, amount = 1): void {
    if (amount > 0) present(this.counters.get(name), name).inc(plain(labels), amount);
  }

  /**
   * A counter for where every microsecond counts: its sum is taken over before each rendering.
   */
  tally<N extends CounterName>(name: N, labels: LabelsOf<N>): Tally {
    const tally = { sum: 0 };
    this.onSample(() => {
      this.add(name, labels, tally.sum);
      tally.sum = 0;
    });
    return tally;
  }

  /** Brings a counter up to a total that is counted elsewhere; a smaller total is a new start. */
  follow<N extends CounterName>(name: N, labels: LabelsOf<N>, total: number): void {
    const key = `${name}${JSON.stringify(labels)}`;
    const before = this.totals.get(key) ?? 0;
    this.totals.set(key, total);
    this.add(name, labels, total >= before ? total - before : total);
  }

  observe<N extends HistogramName>(name: N, labels: LabelsOf<N>, value: number): void {
    present(this.histograms.get(name), name).observe(plain(labels), value);
  }

  /** `sampler` is called before each rendering. */
  onSample(sampler: () => void): void {
    this.samplers.push(sampler);
  }

  /** The node's role has ended: what it sampled is not asked for any more. */
  forgetRole(): void {
    for (const sampler of this.samplers) sampler();
    this.samplers = this.samplers.slice(0, this.ownSamplers);
  }

  /** The text for Prometheus, at most RENDER_CACHE_MS old. */
  render(): Promise<string> {
    const nowMs = performance.now();
    if (this.cached !== null && nowMs - this.cached.atMs < RENDER_CACHE_MS) return this.cached.text;
    for (const sampler of this.samplers) sampler();
    const text = this.registry.metrics();
    this.cached = { atMs: nowMs, text };
    return text;
  }

  close(): void {
    this.loopDelay.disable();
  }

  private define(name: string, definition: MetricDefinition): void {
    const labelNames = Object.keys(definition.labels);
    const common = { name, help: definition.help, labelNames, registers: [this.registry] };
    const series = combinations(definition.labels);
    switch (definition.type) {
      case 'gauge': {
        const gauge = new Gauge(common);
        for (const labels of series) gauge.set(labels, 0);
        this.gauges.set(name, gauge);
        return;
      }
      case 'counter': {
        const counter = new Counter(common);
        for (const labels of series) counter.inc(labels, 0);
        this.counters.set(name, counter);
        return;
      }
      case 'histogram': {
        const buckets = [...present(definition.buckets, `buckets of ${name}`)];
        const histogram = new Histogram({ ...common, buckets });
        for (const labels of series) histogram.zero(labels);
        this.histograms.set(name, histogram);
        return;
      }
    }
  }

  private sampleProcess(): void {
    const longest = this.loopDelay.max / NANOSECONDS;
    // The histogram of a loop that was never late holds its smallest possible value.
    this.set('lockstep_event_loop_lag_seconds', {}, Number.isFinite(longest) ? longest : 0);
    this.loopDelay.reset();
    const usage = process.cpuUsage();
    this.follow('process_cpu_seconds_total', {}, (usage.user + usage.system) / 1e6);
    this.set('process_resident_memory_bytes', {}, process.memoryUsage.rss());
  }
}

/** Labels are strings by the catalogue's type; prom-client wants them in a plain object. */
function plain(labels: object): PlainLabels {
  return Object.fromEntries(Object.entries(labels));
}

/** Every combination of closed labels; none if a label is open. */
function combinations(labels: MetricDefinition['labels']): PlainLabels[] {
  let result: PlainLabels[] = [{}];
  for (const [name, values] of Object.entries(labels)) {
    if (values === null) return [];
    result = result.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
  }
  return result;
}
