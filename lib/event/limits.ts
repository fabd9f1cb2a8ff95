/**
 * Every limit of the log's format, with its reason, in one place.
 *
 * A log may come from a damaged disk or a hostile peer, so each length is checked against its
 * limit before anything is allocated. The writer asserts the same limits: what is written can be
 * read. The relations between the limits are asserted below, at load.
 */

import { assert } from '../base/assert.js';

/** Hart numbers in the log; more than any machine has today, few enough for a table a batch. */
export const MAX_LOG_HARTS = 64;

/** One paste into a terminal; longer input is cut into several events. */
export const MAX_CONSOLE_INPUT_BYTES = 4096;

/** Linux asks its entropy device for far less at a time; virtio allows a page without a fuss. */
export const MAX_ENTROPY_BYTES = 4096;

/** An Ethernet frame with one VLAN tag and 1500 bytes in it; the card offers no larger ones. */
export const MAX_FRAME_BYTES = 1518;

/** Destination, source and type: what is shorter is no frame. */
export const MIN_FRAME_BYTES = 14;

/** Architectural words outside RAM: registers and CSRs of 64 harts, devices, with room. */
export const MAX_STATE_WORDS = 65_536;

/** Pages of RAM and of disks: 1 TiB of 4 KiB pages. No page has this number or more. */
export const MAX_PAGES = 2 ** 28;

/** Pages in one state hash: 1 GiB written between two checks. More calls for checks more often. */
export const MAX_HASHED_PAGES = 262_144;

/**
 * One batch, header and end mark included. It is held in memory whole on both sides, sent as one
 * message, and lost whole when torn; the largest event must fit.
 */
export const MAX_BATCH_BYTES = 4 * 1024 * 1024;

/**
 * A batch is cut here unless one event alone is larger: messages of this size use a gRPC stream
 * well, and a torn or late one costs little.
 */
export const BATCH_TARGET_BYTES = 64 * 1024;

/** Largest encoding of a varint below 2^64. */
export const MAX_VARINT_BYTES = 10;

const LARGEST_WORDS_BYTES = MAX_STATE_WORDS * (3 + MAX_VARINT_BYTES);
const LARGEST_PAGES_BYTES = MAX_HASHED_PAGES * (4 + 8);
assert(MAX_STATE_WORDS <= 2 ** 21, 'an index of a word fits 3 varint bytes');
assert(MAX_PAGES <= 2 ** 28, 'the number of a page fits 4 varint bytes');
assert(BATCH_TARGET_BYTES <= MAX_BATCH_BYTES, 'a batch of the usual size is within its limit');
assert(MIN_FRAME_BYTES < MAX_FRAME_BYTES, 'a frame can carry something');
assert(MAX_HASHED_PAGES <= MAX_PAGES, 'a page is hashed once a check');
assert(
  LARGEST_WORDS_BYTES + LARGEST_PAGES_BYTES + 4096 <= MAX_BATCH_BYTES,
  'the largest state hash fits a batch',
);
