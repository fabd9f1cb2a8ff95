/**
 * docs/METRICS.md, written from the catalogue; a test compares the file with this.
 */

import { METRICS } from './catalogue.js';

export function renderMetricsDocument(): string {
  const lines = [
    '# Metrics',
    '',
    'Every node serves these at `http://HOST:PORT/metrics` when it is started with',
    '`--metrics HOST:PORT`. All series carry `vm`, the machine id. Labels with listed values exist',
    'from the start as 0, so that `increase()` sees the first event. Alert rules, a dashboard and',
    'a Prometheus configuration are in `monitoring/`.',
    '',
    'This file is written from `lib/metrics/catalogue.ts`; do not edit it.',
    '',
    '| Metric | Type | Unit | Labels | Meaning |',
    '| --- | --- | --- | --- | --- |',
  ];
  for (const [name, definition] of METRICS) {
    const labels = Object.entries(definition.labels).map(([label, values]) =>
      values === null ? `\`${label}\`` : `\`${label}\`: ${values.join(', ')}`,
    );
    lines.push(
      `| \`${name}\` | ${definition.type} | ${definition.unit} | ${labels.join('; ') || '–'} | ` +
        `${definition.help} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}
