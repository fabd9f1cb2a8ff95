/**
 * `node frame-pump.js HEADER_BYTES`, a process of its own: moves frames between the TAP device that
 * is its descriptor 3, one in each read and write, and its standard input and output, where each
 * has its length before it (lib/network/frame-stream.ts).
 *
 *   main thread     standard input --> device
 *   worker thread   device --> standard output, blocked for as long as no frame comes
 *
 * HEADER_BYTES are what the device has before each frame; they are left out, and zeros where they
 * have to be there. It begins with an empty frame, and ends, by a signal since a thread of it is
 * blocked, when its input does.
 */

import { readSync, writeSync } from 'node:fs';
import { isMainThread, Worker } from 'node:worker_threads';
import { FrameSplitter, LENGTH_BYTES, withLength } from '../lib/network/frame-stream.js';

const OUTPUT = 1;
const DEVICE = 3;
/** The largest read of a TAP device: 64 KiB of payload, its Ethernet and virtio headers. */
const MAX_READ_BYTES = 65_536 + 64;

const headerBytes = Number(process.argv[2] ?? '0');

function writeAll(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(OUTPUT, bytes, at);
}

/** Never returns: a device that is gone is an exception, and so is what ends like a file. */
function readDevice(): void {
  const bytes = Buffer.alloc(MAX_READ_BYTES);
  for (;;) {
    const length = readSync(DEVICE, bytes);
    if (length === 0) throw new Error('no TAP device: it gives no frames');
    if (length > headerBytes) writeAll(withLength(bytes.subarray(headerBytes, length)));
  }
}

/** A frame that the device does not take, as while its interface is down, is lost. */
function writeDevice(frame: Uint8Array): void {
  const bytes = Buffer.concat([Buffer.alloc(headerBytes), frame]);
  try {
    writeSync(DEVICE, bytes);
  } catch {
    return;
  }
}

if (isMainThread) {
  writeAll(new Uint8Array(LENGTH_BYTES));
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) });
  worker.on('error', (error: Error) => {
    process.stderr.write(`${error.message}\n`, () => process.exit(1));
  });
  const splitter = new FrameSplitter();
  process.stdin.on('data', (bytes: Buffer) => {
    for (const frame of splitter.take(new Uint8Array(bytes))) writeDevice(frame);
  });
  process.stdin.on('close', () => process.kill(process.pid, 'SIGKILL'));
} else readDevice();
