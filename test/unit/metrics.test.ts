/**
 * Goal: metrics are an interface that holds: named and documented as the catalogue says, there
 * from the start, cheap to scrape, and the only ones that alerts and dashboard use.
 * Method: render and compare; ask promtool where it is installed; real HTTP requests.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { METRICS } from '../../lib/metrics/catalogue.js';
import { renderMetricsDocument } from '../../lib/metrics/document.js';
import { exportMetrics } from '../../lib/metrics/exporter.js';
import { NodeMetrics } from '../../lib/metrics/registry.js';

const ROOT = new URL('../../../', import.meta.url).pathname;
const HAS_PROMTOOL = spawnSync('promtool', ['--version']).status === 0;

function nodeMetrics(t: ExecutionContext): NodeMetrics {
  const metrics = new NodeMetrics('m', '1.2.3');
  t.teardown(() => metrics.close());
  return metrics;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(address: string, path: string, method = 'GET'): Promise<Answer> {
  const [host = '', port = ''] = address.split(':');
  return new Promise((resolve, reject) => {
    const call = request({ host, port: Number(port), path, method }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject);
    call.end();
  });
}

/** Names of time series that a rule or a panel reads. */
function namesIn(text: string): Set<string> {
  const names = [...text.matchAll(/\b(?:lockstep|process)_[a-z_]+\b/g)].map(([name]) => name);
  return new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')));
}

test('docs/METRICS.md is what the catalogue says', (t) => {
  const path = `${ROOT}docs/METRICS.md`;
  if (process.env['LOCKSTEP_UPDATE'] === '1') writeFileSync(path, renderMetricsDocument());
  t.is(readFileSync(path, 'utf8'), renderMetricsDocument());
});

test('every metric is there from the start, closed labels as zero', async (t) => {
  const text = await nodeMetrics(t).render();
  for (const [name] of METRICS) t.true(text.includes(`# TYPE ${name} `), name);
  t.true(text.includes('lockstep_failovers_total{reason="heartbeat-lost",result="won",vm="m"} 0'));
  t.true(text.includes('lockstep_role{role="primary",vm="m"} 0'));
  t.true(text.includes('lockstep_build_info{version="1.2.3"'));
});

test('a followed counter grows by differences and survives a new start of its source', async (t) => {
  const metrics = nodeMetrics(t);
  for (const total of [5, 5, 9, 2]) metrics.follow('lockstep_steps_total', { hart: '0' }, total);
  t.true((await metrics.render()).includes('lockstep_steps_total{hart="0",vm="m"} 11'));
});

test('a tally is taken over by its counter once, when somebody looks', async (t) => {
  const metrics = nodeMetrics(t);
  const tally = metrics.tally('lockstep_log_bytes_total', { direction: 'sent' });
  tally.sum += 5;
  tally.sum += 7;
  t.regex(await metrics.render(), /lockstep_log_bytes_total\{direction="sent",vm="m"\} 12\n/);
  t.is(tally.sum, 0);
});

test('samplers run once for a burst of scrapes', async (t) => {
  const metrics = nodeMetrics(t);
  let samples = 0;
  metrics.onSample(() => (samples += 1));
  const texts = await Promise.all(Array.from({ length: 200 }, () => metrics.render()));
  t.is(samples, 1);
  t.is(new Set(texts).size, 1);
});

test('the exporter answers GET /metrics and nothing else', async (t) => {
  const exporter = await exportMetrics(nodeMetrics(t), { host: '127.0.0.1', port: 0 });
  t.teardown(() => exporter.close());
  const { status, text } = await ask(exporter.address, '/metrics?x=1');
  t.is(status, 200);
  t.true(text.includes('lockstep_role'));
  t.is((await ask(exporter.address, '/')).status, 404);
  t.is((await ask(exporter.address, '/metrics', 'POST')).status, 405);
  t.is((await ask(exporter.address, `/${'x'.repeat(20_000)}`)).status, 431);
  t.is((await ask(exporter.address, '/metrics')).status, 200);
});

test('a taken port is IO', async (t) => {
  const metrics = nodeMetrics(t);
  const exporter = await exportMetrics(metrics, { host: '127.0.0.1', port: 0 });
  t.teardown(() => exporter.close());
  const port = Number(exporter.address.split(':')[1]);
  t.like(await t.throwsAsync(exportMetrics(metrics, { host: '127.0.0.1', port })), { code: 'IO' });
});

test('rules and dashboard use only metrics of the catalogue', (t) => {
  const known = new Set(METRICS.map(([name]) => name));
  for (const file of ['rules.yaml', 'rules_test.yaml', 'dashboard.json']) {
    const used = [...namesIn(readFileSync(`${ROOT}monitoring/${file}`, 'utf8'))];
    t.true(used.length > 0, file);
    t.deepEqual(
      used.filter((name) => !known.has(name)),
      [],
      file,
    );
  }
});

test('the dashboard shows every metric of the engine', (t) => {
  const shown = namesIn(readFileSync(`${ROOT}monitoring/dashboard.json`, 'utf8'));
  const names = METRICS.map(([name]) => name).filter((name) => name.startsWith('lockstep_engine_'));
  t.true(names.length > 0);
  t.deepEqual(
    names.filter((name) => !shown.has(name)),
    [],
  );
});

test('promtool finds nothing wrong with metrics, rules and configuration', async (t) => {
  if (!HAS_PROMTOOL) {
    t.log('skipped: promtool is not installed (package prometheus)');
    t.pass();
    return;
  }
  const run = (args: string[], input = ''): string =>
    execFileSync('promtool', args, { cwd: `${ROOT}monitoring`, input, encoding: 'utf8' });
  const text = await nodeMetrics(t).render();
  t.is(run(['check', 'metrics'], text), '');
  t.notThrows(() => run(['check', 'rules', 'rules.yaml']));
  t.notThrows(() => run(['test', 'rules', 'rules_test.yaml']));
  t.notThrows(() => run(['check', 'config', 'prometheus.yml']));
});

test('promtool reads every expression of the dashboard', (t) => {
  if (!HAS_PROMTOOL) {
    t.log('skipped: promtool is not installed (package prometheus)');
    t.pass();
    return;
  }
  const dashboard = readFileSync(`${ROOT}monitoring/dashboard.json`, 'utf8');
  const expressions = [...dashboard.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, quoted]) =>
    String(JSON.parse(quoted ?? '""')).replaceAll('$vm', 'm'),
  );
  t.true(expressions.length > 20);
  const rules = expressions.map((expr, index) => ({ record: `panel:${index}`, expr }));
  const file = JSON.stringify({ groups: [{ name: 'dashboard', rules }] });
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-metrics-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'rules.json');
  writeFileSync(path, file);
  t.notThrows(() => execFileSync('promtool', ['check', 'rules', '--lint=none', path]));
});
