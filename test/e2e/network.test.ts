/**
 * Goal: what a client and a guest say to each other over TCP survives the death of whoever runs
 * the guest, and a primary that sleeps through its successor's beginning: nothing lost, nothing
 * doubled, no connection reset.
 * Method: Debian's own kernel with a virtio card behind a switch, and a client that counts every
 * byte on one connection.
 */

import test from 'ava';
import { randomBytes } from 'node:crypto';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { cachedDebianImage, debianImage, imageFlags } from '../support/debian.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { LastingConnection, startSwitch } from '../support/network-pair.js';
import { PairFixture, until, type NodeProcess } from '../support/pair.js';

const ECHO = 'nc -ll -p 7 -e cat';
const BLOCK_BYTES = 4096;

async function machineFlags(commands: string, target: string): Promise<string[]> {
  return [
    ...imageFlags(await cachedDebianImage()),
    ...['--append', `console=ttyS0 quiet lockstep.run="${commands}"`],
    ...['--net', target],
    // A busy host is not a dead one; a killed process is noticed at once.
    ...['--suspect-ms', '3000'],
  ];
}

/** A client that sends random blocks one after the other, and checks that each comes back. */
class EchoClient {
  blocks = 0;
  failure: Error | null = null;
  private readonly connection: LastingConnection;
  private isOver = false;
  readonly done: Promise<void>;

  constructor(connection: LastingConnection) {
    this.connection = connection;
    this.done = this.run().catch((error: unknown) => {
      this.failure = error instanceof Error ? error : new Error(String(error));
    });
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.done;
    this.connection.close();
  }

  /** Resolves when `count` more blocks have come back. */
  async more(count: number): Promise<void> {
    const goal = this.blocks + count;
    await until(`${count} more blocks`, () => {
      if (this.failure !== null) throw this.failure;
      return this.blocks >= goal;
    });
  }

  private async run(): Promise<void> {
    while (!this.isOver) {
      const sent = randomBytes(BLOCK_BYTES);
      this.connection.write(sent);
      const answer = await this.connection.read(BLOCK_BYTES);
      if (!answer.equals(sent)) throw new Error(`block ${this.blocks} came back changed`);
      this.blocks += 1;
    }
  }
}

test('a connection outlives one primary after another', async (t) => {
  if ((await debianImage(t)) === null) return;
  const fixture = new PairFixture(t, LOCKSTEP, []);
  const network = await startSwitch(fixture.folder, [7]);
  t.teardown(() => network.process.kill());
  const flags = await machineFlags(ECHO, network.target);
  const { primary, backup } = await fixture.pair(...flags);
  const connection = await LastingConnection.served(network.ports[0] ?? 0, async (one) => {
    one.write('hello');
    await one.read(5);
  });
  const client = new EchoClient(connection);
  await client.more(20);
  let current: NodeProcess = primary;
  let next: NodeProcess = backup;
  for (let kill = 1; kill <= 3; kill++) {
    current.signal('SIGKILL');
    await client.more(20);
    const fresh = await fixture.backup([next], ...flags);
    await next.heard('protecting -> protected');
    await client.more(20);
    current = next;
    next = fresh;
  }
  // A primary that only sleeps is replaced too; when it wakes up, nobody listens to it.
  current.signal('SIGSTOP');
  await next.heard('network up');
  await client.more(20);
  current.signal('SIGCONT');
  t.is(await current.exit(), EXIT_STATUS.FENCED);
  await client.more(20);
  await client.stop();
  t.is(client.failure, null);
  t.true(client.blocks >= 180);
  const journal = network.process.journal.map(({ event }) => event);
  t.is(journal.filter((event) => event === 'plugged in').length, 5);
  t.is(journal.filter((event) => event === 'displaced').length, 1);
});
