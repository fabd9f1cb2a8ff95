/**
 * Every metric of this project: name, type, unit, labels and meaning.
 *
 * Metrics are public API. Dashboard, alert rules and docs/METRICS.md are checked against this
 * table; code can only touch a metric that stands in it, with the labels that stand in it.
 * Each closed label lists its values, so a series exists (as zero) before its first event and
 * the number of series is bounded, whatever a guest or a peer does. All carry `vm`, the machine
 * id.
 */

import type { MetricDefinition, MetricType } from './definition.js';
import {
  BACKUP_STAGES,
  EVENT_KINDS,
  PROTECTION_STATES,
  ROLES,
  STEAL_CAUSES,
  STREAMS,
} from './label-values.js';

/** 100 µs to 3.3 s, doubling: covers a loopback round trip and a slow failover. */
const LATENCY_BUCKETS = Array.from({ length: 16 }, (_, index) => 0.0001 * 2 ** index);
/** 1 ms to 16 s, doubling. */
const PHASE_BUCKETS = Array.from({ length: 15 }, (_, index) => 0.001 * 2 ** index);

export const CATALOGUE = {
  lockstep_build_info: {
    type: 'gauge',
    unit: 'none',
    help: 'Always 1; the labels name the versions of Lockstep and Node.js.',
    labels: { version: null, node_version: null },
  },
  lockstep_role: {
    type: 'gauge',
    unit: 'none',
    help: '1 for the role this node has now, 0 for the others.',
    labels: { role: ROLES },
  },
  lockstep_protection_state: {
    type: 'gauge',
    unit: 'none',
    help: '1 for the protection of the machine as this node knows it, 0 for the others.',
    labels: { state: PROTECTION_STATES },
  },
  lockstep_epoch: {
    type: 'gauge',
    unit: 'none',
    help: 'Epoch (generation of the arbiter) in which this node works.',
    labels: {},
  },
  lockstep_steps_total: {
    type: 'counter',
    unit: 'steps',
    help: 'Steps counted by a hart here: instructions retired plus traps taken.',
    labels: { hart: null },
  },
  lockstep_virtual_time_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Virtual time of the guest.',
    labels: {},
  },
  lockstep_parallel_steps_total: {
    type: 'counter',
    unit: 'steps',
    help: 'Steps of harts in parallel, in runs in which several moved, and in which one did.',
    labels: { harts: ['together', 'alone'] },
  },
  lockstep_steals_total: {
    type: 'counter',
    unit: 'steals',
    help: 'Pages and devices that went from one hart to another.',
    labels: { what: STEAL_CAUSES },
  },
  lockstep_hottest_page_address: {
    type: 'gauge',
    unit: 'none',
    help: 'Address of the page of RAM that was stolen most since this node began; 0 for none.',
    labels: {},
  },
  lockstep_hottest_page_steals: {
    type: 'gauge',
    unit: 'steals',
    help: 'How often that page was stolen.',
    labels: {},
  },
  lockstep_hart_parked: {
    type: 'gauge',
    unit: 'none',
    help: '1 while the guest waits for an interrupt (WFI).',
    labels: {},
  },
  lockstep_engine_regions: {
    type: 'gauge',
    unit: 'regions',
    help: 'Compiled regions of guest code that are in use; 0 where everything is interpreted.',
    labels: {},
  },
  lockstep_engine_code_bytes: {
    type: 'gauge',
    unit: 'bytes',
    help: 'WebAssembly of the compiled regions in use; what the host makes of it is larger.',
    labels: {},
  },
  lockstep_engine_regions_compiled_total: {
    type: 'counter',
    unit: 'regions',
    help: 'Regions of guest code compiled to WebAssembly.',
    labels: {},
  },
  lockstep_engine_regions_dropped_total: {
    type: 'counter',
    unit: 'regions',
    help: 'Compiled regions dropped because their code changed or the cache was full.',
    labels: {},
  },
  lockstep_engine_compiled_instructions_total: {
    type: 'counter',
    unit: 'instructions',
    help: 'Guest instructions in the regions compiled, those of dropped regions included.',
    labels: {},
  },
  lockstep_engine_compile_seconds_total: {
    type: 'counter',
    unit: 'seconds',
    help: "Time in which a hart's thread compiled instead of running the guest.",
    labels: {},
  },
  lockstep_primary_throttle_ratio: {
    type: 'gauge',
    unit: 'ratio',
    help: 'Share of time in which the guest may run; below 1 while the backup lags.',
    labels: {},
  },
  lockstep_primary_throttled_seconds_total: {
    type: 'counter',
    unit: 'seconds',
    help: 'Time in which the guest was slowed down or stopped because the backup lagged.',
    labels: {},
  },
  lockstep_log_recorded_seq: {
    type: 'gauge',
    unit: 'entries',
    help: 'Newest log entry recorded by the primary, as this node knows it.',
    labels: {},
  },
  lockstep_log_acked_seq: {
    type: 'gauge',
    unit: 'entries',
    help: 'Newest log entry that the backup holds in memory.',
    labels: {},
  },
  lockstep_log_replayed_seq: {
    type: 'gauge',
    unit: 'entries',
    help: 'Newest log entry that the backup has applied to its replica.',
    labels: {},
  },
  lockstep_replay_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help:
      "Age of the state of the replica, by the primary's clock: how long ago the primary was " +
      'where the replica is (vLockstep interval). 0 when nothing is left to replay.',
    labels: {},
  },
  lockstep_replay_lag_instructions: {
    type: 'gauge',
    unit: 'steps',
    help: 'Steps by which the replica is behind the primary.',
    labels: {},
  },
  lockstep_replay_lag_records: {
    type: 'gauge',
    unit: 'entries',
    help: 'Log entries recorded and not yet applied by the replica.',
    labels: {},
  },
  lockstep_log_unacked_bytes: {
    type: 'gauge',
    unit: 'bytes',
    help: 'Log bytes recorded by this primary and not yet acknowledged by its backup.',
    labels: {},
  },
  lockstep_log_records_total: {
    type: 'counter',
    unit: 'entries',
    help: 'Log entries recorded or received by this node.',
    labels: { kind: EVENT_KINDS },
  },
  lockstep_log_record_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Packed size of the log entries recorded or received by this node.',
    labels: { kind: EVENT_KINDS },
  },
  lockstep_log_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of log batches (log bandwidth).',
    labels: { direction: ['recorded', 'sent', 'received'] },
  },
  lockstep_transfer_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time to copy the running machine to a joining backup.',
    labels: {},
    buckets: PHASE_BUCKETS,
  },
  lockstep_transfer_stop_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time that the guest stood still at the end of such a copy.',
    labels: {},
    buckets: LATENCY_BUCKETS,
  },
  lockstep_transfer_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of such copies that were sent.',
    labels: {},
  },
  lockstep_ack_rtt_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from sending log or a heartbeat to its acknowledgement, one at a time.',
    labels: {},
    buckets: LATENCY_BUCKETS,
  },
  lockstep_output_commit_delay_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the mark of an output on its hart until it may leave.',
    labels: { stream: STREAMS },
    buckets: LATENCY_BUCKETS,
  },
  lockstep_output_held_bytes: {
    type: 'gauge',
    unit: 'bytes',
    help: 'Output bytes that wait for an acknowledgement.',
    labels: { stream: STREAMS },
  },
  lockstep_output_released_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Output bytes that were allowed to leave this node.',
    labels: { stream: STREAMS },
  },
  lockstep_fenced_total: {
    type: 'counter',
    unit: 'events',
    help: 'Things refused because they belong to another epoch.',
    labels: { what: ['ack', 'hello', 'attach', 'batch'] },
  },
  lockstep_heartbeats_total: {
    type: 'counter',
    unit: 'heartbeats',
    help: 'Heartbeats of the log stream.',
    labels: { direction: ['sent', 'received'] },
  },
  lockstep_heartbeats_missed_total: {
    type: 'counter',
    unit: 'heartbeats',
    help: 'Heartbeat intervals that passed on this backup without a sign of the primary.',
    labels: {},
  },
  lockstep_heartbeat_last_received_timestamp_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Unix time of the last heartbeat received; 0 if none was.',
    labels: {},
  },
  lockstep_state_checks_total: {
    type: 'counter',
    unit: 'checks',
    help: "State hashes of the log compared with the replica's own.",
    labels: { result: ['equal', 'different'] },
  },
  lockstep_divergences_total: {
    type: 'counter',
    unit: 'events',
    help: 'Replicas stopped because they differed from the log.',
    labels: {},
  },
  lockstep_last_checked_instruction: {
    type: 'gauge',
    unit: 'steps',
    help: 'Step of the newest state hash that compared equal.',
    labels: {},
  },
  lockstep_failovers_total: {
    type: 'counter',
    unit: 'events',
    help: 'Attempts of this node to take over.',
    labels: {
      reason: ['connection-closed', 'heartbeat-lost'],
      result: ['won', 'lost', 'failed'],
    },
  },
  lockstep_failover_duration_seconds: {
    type: 'histogram',
    unit: 'seconds',
    help: 'Time of each phase of a takeover by this node.',
    labels: { phase: ['detect', 'arbitrate', 'drain', 'total'] },
    buckets: PHASE_BUCKETS,
  },
  lockstep_arbiter_requests_total: {
    type: 'counter',
    unit: 'requests',
    help: 'Claims of a generation, by answer.',
    labels: { result: ['won', 'lost', 'unavailable'] },
  },
  lockstep_backups: {
    type: 'gauge',
    unit: 'nodes',
    help: 'Backups of this primary by stage: standing by, loading, protecting, only comparing.',
    labels: { stage: BACKUP_STAGES },
  },
  lockstep_console_clients: {
    type: 'gauge',
    unit: 'clients',
    help: 'Console clients attached to this node.',
    labels: {},
  },
  lockstep_console_input_bytes_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Console bytes that clients sent to this node, resent ones included.',
    labels: {},
  },
  lockstep_network_up: {
    type: 'gauge',
    unit: 'none',
    help: "1 while this node's machine is plugged into its network.",
    labels: {},
  },
  lockstep_network_frames_received_total: {
    type: 'counter',
    unit: 'frames',
    help: 'Frames that came from the network for this machine, those without a buffer included.',
    labels: {},
  },
  lockstep_network_bytes_received_total: {
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of these frames.',
    labels: {},
  },
  lockstep_event_loop_lag_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Longest delay of the main event loop since the last scrape.',
    labels: {},
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory of this process.',
    labels: {},
  },
  process_cpu_seconds_total: {
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time of this process, all threads, user and system.',
    labels: {},
  },
  process_start_time_seconds: {
    type: 'gauge',
    unit: 'seconds',
    help: 'Unix time at which this process began.',
    labels: {},
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof CATALOGUE;

type NameOf<T extends MetricType> = {
  [N in MetricName]: (typeof CATALOGUE)[N]['type'] extends T ? N : never;
}[MetricName];

export type GaugeName = NameOf<'gauge'>;
export type CounterName = NameOf<'counter'>;
export type HistogramName = NameOf<'histogram'>;

type LabelValue<V> = V extends readonly (infer T)[] ? T : string;

/** The labels that a metric must be given: exactly its own, closed ones by their values. */
export type LabelsOf<N extends MetricName> = {
  readonly [L in keyof (typeof CATALOGUE)[N]['labels']]: LabelValue<
    (typeof CATALOGUE)[N]['labels'][L]
  >;
};

/** The table without the literal types, for those who walk it. */
export const METRICS: readonly (readonly [name: string, definition: MetricDefinition])[] =
  Object.entries(CATALOGUE);
