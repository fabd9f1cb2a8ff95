/**
 * Loaded into a node before anything else (`--import`): notes what of its files is on stable
 * storage, so that a test can leave on disk what a power loss would.
 *
 * When a flush has returned, a line "SIZE PATH" is appended to the file that FLUSH_WITNESS names
 * with the number of the process: so many bytes of that file were there when the flush began. The
 * line is written before whoever waits for the flush learns of it. What was appended later, and
 * files without a line, are lost with the power. That holds for files that only grow.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const target = process.env['FLUSH_WITNESS'];
const { appendFileSync, fdatasync, fdatasyncSync, fstatSync, fsyncSync, readlinkSync } = fs;

/** What a flush that begins now will have made safe. */
function seen(fd: number): string {
  return `${fstatSync(fd).size} ${readlinkSync(`/proc/self/fd/${fd}`)}\n`;
}

function testify(line: string): void {
  appendFileSync(`${target}.${process.pid}`, line);
}

if (target !== undefined && isMainThread) {
  const flushLater = (fd: number, done: fs.NoParamCallback): void => {
    const line = seen(fd);
    fdatasync(fd, (error) => {
      if (error === null) testify(line);
      done(error);
    });
  };
  const witnessed = (flush: (fd: number) => void) => (fd: number) => {
    const line = seen(fd);
    flush(fd);
    testify(line);
  };
  Object.assign(fs, {
    fdatasync: flushLater,
    fdatasyncSync: witnessed(fdatasyncSync),
    fsyncSync: witnessed(fsyncSync),
  });
  syncBuiltinESMExports();
}
