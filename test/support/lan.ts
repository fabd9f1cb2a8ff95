/**
 * A network of its own, in a network namespace: a bridge with an address of the host, TAP
 * interfaces on it, and processes inside.
 */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { getuid } from 'node:process';
import type { ExecutionContext } from 'ava';
import { present } from '../../lib/base/assert.js';
import { NodeProcess } from '../../tools/demo/node-process.js';
import { bound } from './bound-process.js';

/** The host's address on the bridge: a guest that finds no DHCP server is told 10.0.2.15. */
export const LAN_HOST = '10.0.2.1';

/** Who is not root gets the rights of one inside a user namespace. */
const IS_ROOT = getuid?.() === 0;

export class Lan {
  private readonly holder: ChildProcess;

  private constructor(holder: ChildProcess) {
    this.holder = holder;
  }

  /** `setUp` are shell commands run inside. Null, and a note, where this host allows none. */
  static async open(t: ExecutionContext, setUp: readonly string[]): Promise<Lan | null> {
    const commands = ['set -e', 'ip link set lo up', ...setUp, 'echo ready', 'exec sleep 100000'];
    const space = IS_ROOT ? ['--net'] : ['--user', '--map-root-user', '--net'];
    const holder = bound(spawn('unshare', [...space, 'sh', '-c', commands.join('\n')]));
    t.teardown(() => holder.kill('SIGKILL'));
    let said = '';
    holder.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    const isReady = await Promise.race([
      once(holder.stdout, 'data').then(() => true),
      once(holder, 'close').then(() => false),
      once(holder, 'error').then(() => false),
    ]);
    if (isReady) return new Lan(holder);
    t.log(`left out: this host allows no such network: ${said.trim()}`);
    t.pass();
    return null;
  }

  /** Commands for a bridge with the host's address and TAP interfaces. */
  static bridge(taps: readonly string[]): readonly string[] {
    return [
      'ip link add bridge0 type bridge',
      `ip addr add ${LAN_HOST}/24 dev bridge0`,
      'ip link set bridge0 up',
      ...taps.flatMap((tap) => [
        `ip tuntap add ${tap} mode tap`,
        `ip link set ${tap} master bridge0 up`,
      ]),
    ];
  }

  /** A process inside; `args` as for NodeProcess. */
  start(script: string, args: readonly string[]): NodeProcess {
    return new NodeProcess(script, args, this.inside);
  }

  /** What a shell command prints inside. */
  async output(command: string): Promise<string> {
    const [program = '', ...args] = this.inside;
    const child = bound(spawn(program, [...args, 'sh', '-c', command]));
    let text = '';
    child.stdout.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    await once(child, 'close');
    return text.trim();
  }

  private get inside(): readonly string[] {
    const target = ['--target', String(present(this.holder.pid, 'a process that has started'))];
    const user = IS_ROOT ? [] : ['--user', '--preserve-credentials'];
    return ['nsenter', ...target, ...user, '--net'];
  }
}
