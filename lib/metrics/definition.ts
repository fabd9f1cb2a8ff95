/**
 * What is said of one metric: the shape of an entry of catalogue.ts.
 */

export type MetricType = 'gauge' | 'counter' | 'histogram';

/** Values of a closed label, or null for a label with few values known only at run time. */
export type LabelValues = readonly string[] | null;

export interface MetricDefinition {
  readonly type: MetricType;
  readonly unit: string;
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds of the classic buckets of a histogram. */
  readonly buckets?: readonly number[];
}
