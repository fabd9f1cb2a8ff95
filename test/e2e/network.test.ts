/**
 * Goal: what a client and a guest say to each other over TCP survives the death of whoever runs
 * the guest, and a primary that sleeps through its successor's beginning: nothing lost, nothing
 * doubled, no connection reset.
 * Method: Debian's own kernel with a virtio card behind a switch, and a client that counts every
 * byte on one connection.
 */

import test from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { cachedDebianImage, debianImage, imageFlags } from '../support/debian.js';
import { EchoClient } from '../support/echo-client.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { LastingConnection, startSwitch } from '../support/network-pair.js';
import { PairFixture, type NodeProcess } from '../support/pair.js';

const ECHO = 'nc -ll -p 7 -e cat';

async function machineFlags(commands: string, target: string): Promise<string[]> {
  return [
    ...imageFlags(await cachedDebianImage()),
    ...['--append', `console=ttyS0 quiet lockstep.run="${commands}"`],
    ...['--net', target],
    // A busy host is not a dead one; a killed process is noticed at once.
    ...['--suspect-ms', '3000'],
  ];
}

test('a connection outlives one primary after another', async (t) => {
  if ((await debianImage(t)) === null) return;
  const fixture = new PairFixture(t, LOCKSTEP, []);
  const network = await startSwitch(fixture.folder, [7]);
  t.teardown(() => network.process.kill());
  const flags = await machineFlags(ECHO, network.target);
  const { primary, backup } = await fixture.pair(...flags);
  const client = new EchoClient(await LastingConnection.echoed(network.ports[0] ?? 0));
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
