/**
 * The statistics of measured times: medians of runs, geometric means of ratios over programs.
 */

import { assert, present } from '../../lib/base/assert.js';

export function median(values: readonly number[]): number {
  assert(values.length > 0, 'median of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = present(sorted[middle], 'middle');
  return sorted.length % 2 === 1 ? upper : (upper + present(sorted[middle - 1], 'middle')) / 2;
}

export function geometricMean(values: readonly number[]): number {
  assert(values.length > 0, 'mean of nothing');
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}
