/**
 * Every limit of the gRPC surface, with its reason, in one place.
 *
 * A peer is hostile until it is authenticated, and its content after that: nothing here is
 * allocated before its size is checked. The relations between the limits are asserted below, at
 * load, so that nobody can raise one and forget its neighbour.
 */

import { assert } from '../base/assert.js';
import { MAX_BATCH_BYTES } from '../event/limits.js';

/** Version of the exchange in proto/lockstep/v1/replication.proto. Another one is refused. */
export const PROTOCOL_VERSION = 3;

/**
 * Largest gRPC message that is accepted: the largest batch and its envelope. A snapshot travels in
 * chunks.
 */
export const MAX_MESSAGE_BYTES = MAX_BATCH_BYTES + 64 * 1024;
/** Data bytes of one snapshot chunk. */
export const SNAPSHOT_CHUNK_BYTES = 1024 * 1024;
/** Largest snapshot that a backup takes: 3 GiB of RAM and its words. */
export const MAX_SNAPSHOT_BYTES = 3 * 1024 * 1024 * 1024 + 64 * 1024 * 1024;
/** Data bytes of one console output message, and of one console input. */
export const CONSOLE_OUTPUT_BYTES = 64 * 1024;
export const CONSOLE_INPUT_BYTES = 4 * 1024;

/** Calls at once over one connection: one replication, some consoles and watchers, status. */
export const MAX_CONCURRENT_STREAMS = 16;
/**
 * HTTP/2 receive window of the client. Node's default of 64 KiB limits a link with 10 ms of
 * round trip to 3 MB/s; 4 MiB gives ten times that.
 */
export const FLOW_CONTROL_WINDOW_BYTES = 4 * 1024 * 1024;
/** Memory of one HTTP/2 session, in MB, above which Node refuses further streams. */
export const MAX_SESSION_MEMORY_MB = 32;

/**
 * Keepalive is a coarse guard against a peer that vanished without a word. The heartbeats in the
 * stream detect failures; servers in other languages punish frequent pings.
 */
export const KEEPALIVE_TIME_MS = 10_000;
export const KEEPALIVE_TIMEOUT_MS = 5_000;

/** Deadline of a unary call. */
export const UNARY_DEADLINE_MS = 3_000;
/** A client that opened a stream and says nothing for so long is ended. */
export const HELLO_TIMEOUT_MS = 5_000;

/** Messages that may wait in one stream beyond HTTP/2's own window. */
export const STREAM_QUEUE_BYTES = 8 * 1024 * 1024;

assert(SNAPSHOT_CHUNK_BYTES + 4096 <= MAX_MESSAGE_BYTES, 'a snapshot chunk fits a message');
assert(CONSOLE_OUTPUT_BYTES + 4096 <= MAX_MESSAGE_BYTES, 'console output fits a message');
assert(KEEPALIVE_TIMEOUT_MS < KEEPALIVE_TIME_MS, 'a keepalive is judged before the next is sent');
