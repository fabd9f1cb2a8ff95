/**
 * Goal: what a log says of harts in parallel is counted as it is, and shows in the metrics once,
 * whatever is scraped when.
 * Method: events made by hand, whose counts are plain to see.
 */

import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { LogEntry, LogEvent, StealEvent } from '../../../lib/event/event.js';
import { RAM_BASE } from '../../../lib/machine/config.js';
import { NodeMetrics } from '../../../lib/metrics/registry.js';
import { LogCounts } from '../../../lib/node/log-counts.js';
import { SharingCount } from '../../../lib/node/sharing-count.js';
import { TOY_CONFIG } from '../../support/toy-config.js';

const MEMORY_BYTES = 16 * 2 ** 20;
/** A rendering is served again for less than this. */
const RENDERED_AGAIN_MS = 300;
const RAM_PAGES = MEMORY_BYTES / 4096;

function horizon(...steps: bigint[]): LogEvent {
  return { kind: 'horizon', steps };
}

function steal(page: number, mode: 'read' | 'write', byDevice = false): StealEvent {
  return { kind: 'steal', hart: 1, step: 30n, page, mode, byDevice, victims: [] };
}

test('steps count from the first horizon on, by how many harts moved', (t) => {
  const count = new SharingCount(MEMORY_BYTES);
  // As in the log of a backup that joined a machine which had run for long.
  count.take(horizon(1_000_000n, 2_000_000n));
  count.take(horizon(1_000_100n, 2_000_010n));
  count.take(horizon(1_000_150n, 2_000_010n));
  count.take(horizon(1_000_150n, 2_000_010n));
  const { stepsTogether, stepsAlone } = count.result();
  t.deepEqual([stepsTogether, stepsAlone], [110, 50]);
});

test('a steal is of a page, of the devices or for an interrupt', (t) => {
  const count = new SharingCount(MEMORY_BYTES);
  count.take(steal(3, 'read'));
  count.take(steal(3, 'write'));
  count.take(steal(4, 'write'));
  count.take(steal(5, 'write', true));
  count.take(steal(RAM_PAGES, 'write'));
  count.take(steal(RAM_PAGES + 1, 'write'));
  count.take(steal(RAM_PAGES + 2, 'write'));
  const { steals } = count.result();
  t.deepEqual(steals, { read: 1, write: 2, byDevice: 1, devices: 1, interrupts: 2 });
});

test('the pages stolen most come first, five of them', (t) => {
  const count = new SharingCount(MEMORY_BYTES);
  for (let page = 0; page < 40; page += 1) {
    const steals = (page * 7) % 40;
    for (let time = 0; time < steals; time += 1) count.take(steal(page, 'write'));
  }
  const { hottestPages } = count.result();
  t.deepEqual(
    hottestPages.map(({ steals }) => steals),
    [39, 38, 37, 36, 35],
  );
  for (const { address, steals } of hottestPages) {
    t.is((((address - RAM_BASE) / 4096) * 7) % 40, steals);
  }
});

function entries(events: readonly LogEvent[]): LogEntry[] {
  return events.map((event, at) => ({ seq: BigInt(at + 1), event }));
}

test('metrics follow the counts, however often they are rendered', async (t) => {
  const metrics = new NodeMetrics('machine', '0.0.0');
  t.teardown(() => metrics.close());
  const config = { ...TOY_CONFIG, schedule: 'parallel', memoryBytes: MEMORY_BYTES } as const;
  const counts = new LogCounts(metrics, config);
  counts.add(entries([horizon(0n, 0n), steal(3, 'read'), horizon(70n, 30n), steal(3, 'write')]));
  await metrics.render();
  await delay(RENDERED_AGAIN_MS);
  counts.add(entries([steal(9, 'read'), horizon(80n, 30n)]));
  const page = await metrics.render();
  t.regex(page, /^lockstep_steals_total\{what="read",vm="machine"\} 2$/m);
  t.regex(page, /^lockstep_steals_total\{what="write",vm="machine"\} 1$/m);
  t.regex(page, /^lockstep_parallel_steps_total\{harts="together",vm="machine"\} 100$/m);
  t.regex(page, /^lockstep_parallel_steps_total\{harts="alone",vm="machine"\} 10$/m);
  t.regex(page, /^lockstep_hottest_page_steals\{vm="machine"\} 2$/m);
});
