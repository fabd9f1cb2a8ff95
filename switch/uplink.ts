/**
 * A switch's way into a real network: a TAP device of the host, on a bridge or beside a card.
 *
 *   switch --frames with lengths--> frame pump (a process of its own) --frames--> TAP
 *
 * The pump (frame-pump.ts) holds the device, because reading one blocks a thread for as long as
 * the network is silent, and Node.js can't end while one of its threads is blocked.
 *
 *   NAME          a TAP interface; Node.js has no call that attaches to one, so python3 does it and
 *                 becomes the pump
 *   /dev/tapN     a macvtap, which is a plain file; it has a virtio header before each frame
 *
 * A machine that is plugged in is announced to the network, whose switches have to learn that its
 * address lives here now.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { DecodeError } from '../lib/base/bytes.js';
import { LockstepError } from '../lib/base/error.js';
import { buildAnnouncement } from '../lib/network/arp.js';
import { FrameSplitter, withLength } from '../lib/network/frame-stream.js';
import type { Outside } from './outside.js';

export type UplinkTarget =
  | { readonly kind: 'tap'; readonly name: string }
  | { readonly kind: 'macvtap'; readonly path: string };

export interface UplinkEvents {
  /** A frame for machines. */
  frame(bytes: Uint8Array): void;
  /** Nothing comes or goes any more. */
  failed(error: LockstepError): void;
}

const PUMP = fileURLToPath(new URL('./frame-pump.js', import.meta.url));
/** Bytes that may wait for the device; beyond them frames are dropped, as a network drops them. */
const MAX_WAITING_BYTES = 1 << 20;
/** Of `struct virtio_net_hdr`, as macvtap has it (Linux, drivers/net/tap.c). */
const MACVTAP_HEADER_BYTES = 10;
/** TUNSETIFF with IFF_TAP and IFF_NO_PI (linux/if_tun.h). */
const ATTACH = [
  'import fcntl, os, struct, sys',
  'tap = os.open("/dev/net/tun", os.O_RDWR)',
  'fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))',
  'os.dup2(tap, 3)',
  'os.set_inheritable(3, True)',
  'os.execvp(sys.argv[2], sys.argv[2:])',
].join('\n');

/** `NAME` or `/dev/tapN`. Errors: USAGE. */
export function parseUplink(text: string): UplinkTarget {
  if (text.startsWith('/')) return { kind: 'macvtap', path: text };
  // IFNAMSIZ is 16, with a zero at the end.
  if (/^[\w.-]{1,15}$/.test(text)) return { kind: 'tap', name: text };
  const forms = 'the name of a TAP interface or /dev/tapN';
  throw new LockstepError('USAGE', `--uplink ${text}: write ${forms}`);
}

export class Uplink implements Outside {
  private readonly pump: ChildProcess;
  private readonly toDevice: Writable;
  private isOver = false;

  private constructor(pump: ChildProcess, toDevice: Writable) {
    this.pump = pump;
    this.toDevice = toDevice;
  }

  /** Resolves when the device is open. Errors: IO. */
  static async open(target: UplinkTarget, events: UplinkEvents): Promise<Uplink> {
    const pump = startPump(target);
    const { stdin, stdout, stderr } = pump;
    let said = '';
    stderr.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-1_000);
    });
    const ended = new Promise<LockstepError>((resolve) => {
      const fail = (reason: string): void => {
        // A traceback's last line says what happened.
        const last = said.trim().split('\n').at(-1) ?? '';
        resolve(new LockstepError('IO', `${nameOf(target)}: ${last === '' ? reason : last}`));
      };
      pump.on('error', (error) => fail(error.message));
      pump.on('close', (status) => fail(`the uplink ended with status ${status ?? 'of a signal'}`));
    });
    stdin.on('error', () => undefined);
    const uplink = new Uplink(pump, stdin);
    // The pump begins with an empty frame, when it has the device.
    const splitter = new FrameSplitter();
    const opened = once(stdout, 'data').then(() => null);
    uplink.listen(stdout, splitter, events);
    const failure = await Promise.race([opened, ended]);
    if (failure !== null) throw failure;
    void ended.then((error) => {
      if (!uplink.isOver) events.failed(error);
    });
    return uplink;
  }

  take(frame: Uint8Array): void {
    if (this.toDevice.writableLength > MAX_WAITING_BYTES) return;
    this.toDevice.write(withLength(frame));
  }

  pluggedIn(mac: number | null): void {
    if (mac !== null) this.take(buildAnnouncement(mac));
  }

  close(): void {
    this.isOver = true;
    this.pump.kill('SIGKILL');
  }

  private listen(stdout: Readable, splitter: FrameSplitter, events: UplinkEvents): void {
    stdout.on('data', (bytes: Buffer) => {
      try {
        // The cores below know no Buffer, whose `slice` is no copy.
        const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
        for (const frame of splitter.take(plain)) if (frame.length > 0) events.frame(frame);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        events.failed(new LockstepError('IO', `the uplink: ${error.message}`));
      }
    });
  }
}

function nameOf(target: UplinkTarget): string {
  return target.kind === 'tap' ? `TAP interface ${target.name}` : target.path;
}

type Pump = ChildProcess & {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
};

/** Errors: IO. */
function startPump(target: UplinkTarget): Pump {
  if (target.kind === 'tap') {
    const pump = [process.execPath, PUMP, '0'];
    return spawn('python3', ['-c', ATTACH, target.name, ...pump], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // The terminal's interrupt is the switch's, which then ends the pump.
      detached: true,
    });
  }
  let device: number;
  try {
    device = openSync(target.path, 'r+');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('IO', `${target.path} can't be opened: ${reason}`);
  }
  try {
    const args = [PUMP, String(MACVTAP_HEADER_BYTES)];
    const pump = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'pipe', device],
      detached: true,
    });
    const { stdin, stdout, stderr } = pump;
    if (stdin === null || stdout === null || stderr === null) {
      throw new LockstepError('IO', `${target.path}: the uplink has no pipes`);
    }
    return Object.assign(pump, { stdin, stdout, stderr });
  } finally {
    closeSync(device);
  }
}
