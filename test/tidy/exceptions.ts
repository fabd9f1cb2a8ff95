/**
 * Every exception to a rule of tidy, with its reason. A rule without an exception here has none.
 *
 * An entry that is no longer needed is itself a complaint, so this table only holds what is true.
 */

export type Exceptions = Readonly<Record<string, string>>;

/** Files over the limit of lines. */
export const LONG_FILES: Exceptions = {};

/** Source files that nothing imports: a process or a worker starts there. */
export const ENTRY_POINTS: Exceptions = {
  'tools/lockstep.ts': 'the command',
  'tools/spec/main.ts': '`npm run spec`',
  'tools/bundle/main.ts': '`npm run build`',
  'tools/docs/main.ts': '`npm run docs`',
  'test/bench/main.ts': '`npm run bench`',
  'test/bench/variant-run.ts': 'started by test/bench/costs.ts',
  'test/campaign/blocks.ts': '`npm run campaign:blocks`',
  'test/campaign/boot.ts': '`npm run campaign:boot`',
  'test/campaign/code-cache.ts': '`npm run campaign:code-cache`',
  'test/campaign/determinism.ts': '`npm run campaign:determinism`',
  'test/campaign/disk.ts': '`npm run campaign:disk`',
  'test/campaign/durable.ts': '`npm run campaign:durable`',
  'test/campaign/engines.ts': '`npm run campaign:engines`',
  'test/campaign/figures.ts': '`npm run campaign:figures`',
  'test/campaign/harts.ts': '`npm run campaign:harts`',
  'test/campaign/join-deaths.ts': '`npm run campaign:join-deaths`',
  'test/campaign/joins.ts': '`npm run campaign:joins`',
  'test/campaign/litmus.ts': '`npm run campaign:litmus`',
  'test/campaign/kills.ts': '`npm run campaign:kills`',
  'test/campaign/protection.ts': '`npm run campaign:protection`',
  'test/campaign/redis.ts': '`npm run campaign:redis`',
  'test/campaign/zombies.ts': '`npm run campaign:zombies`',
  'test/support/flush-witness.ts': 'loaded into nodes by test/support/power-loss.ts',
};

/** Folders of lib whose files have no test of the same name. */
export const TESTED_ELSEWHERE: Exceptions = {
  'lib/event/event.ts': 'types and two lists: test/unit/event/codec.test.ts',
  'lib/simulation/': 'run whole by test/sim, and judged there by planted bugs',
  'lib/host/hart-loop.ts': 'runs in a worker only: test/unit/host/hart-host.test.ts',
  'lib/host/hart-worker.ts': 'runs in a worker only: test/unit/host/hart-host.test.ts',
  'lib/host/hart-threads.ts':
    'threads for harts: test/unit/machine/parallel/parallel-harts.test.ts',
  'lib/machine/parallel/hart-thread.ts': 'runs in a thread only: parallel-harts.test.ts beside it',
  'lib/machine/parallel/parallel-schedule.ts': 'driven by parallel-harts.test.ts beside it',
  'lib/host/host-ports.ts': 'the clock and random bytes of the host, used by hart-host.test.ts',
};

/** Names that outside interfaces force on us, although they hold a banned word. */
export const FOREIGN_NAMES: Exceptions = {
  '.sync': 'FileHandle.sync of node:fs/promises',
  FileHandle: 'node:fs/promises',
  syncBuiltinESMExports: 'node:module',
  handleUnaryCall: 'grpc-js',
  handleServerStreamingCall: 'grpc-js',
  handleBidiStreamingCall: 'grpc-js',
  UntypedHandleCall: 'grpc-js',
};

/** Hosts that a URL in the tree may name. */
export const KNOWN_HOSTS: Exceptions = {
  localhost: 'loopback',
  '127.0.0.1': 'loopback',
  'github.com': 'home of the specifications and suites that the documents point to',
  'docs.oasis-open.org': 'the virtio specification',
};

/** Files of the zone that name what the zone may not use. */
export const ZONE_NAMES: Exceptions = {
  'lib/protocol/arbiter.ts': 'declares the contract of an arbiter on the host; no core calls it',
};
