/**
 * Goal: behind `lockstep switch --uplink` a machine is a host of a real network: it is answered
 * there, and when its host dies, switch and all, it goes on behind another host's switch, with the
 * connections that it had.
 * Method: Linux' bridge and its own TCP as the network, in a namespace; two switches on it as two
 * hosts.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { ARP, buildArp, parseArp } from '../../lib/network/arp.js';
import { BROADCAST, buildFrame, ETHERTYPE, parseFrame } from '../../lib/network/ethernet.js';
import { FrameSplitter, withLength } from '../../lib/network/frame-stream.js';
import { parseIp } from '../../lib/network/ipv4.js';
import { cachedDebianImage, debianImage, imageFlags } from '../support/debian.js';
import { EchoClient } from '../support/echo-client.js';
import { Lan, LAN_HOST } from '../support/lan.js';
import { LOCKSTEP } from '../support/lockstep-process.js';
import { LastingConnection } from '../support/network-pair.js';
import { PairFixture, type NodeProcess } from '../support/pair.js';
import { makeTemporaryFolder } from '../support/temporary-folder.js';

const RELAY = new URL('../support/relay.js', import.meta.url).pathname;
const MAC = 0x52_54_00_00_00_07;
const GUEST_IP = '10.0.2.15';

async function startSwitch(
  t: ExecutionContext,
  lan: Lan,
  path: string,
  uplink: string,
): Promise<NodeProcess> {
  const words = ['switch', '--listen', `unix:${path}`, '--uplink', uplink, '--json'];
  const process = lan.start(LOCKSTEP, words);
  t.teardown(() => process.kill());
  await process.heard('ready');
  return process;
}

/** Asks for the host's hardware address from behind the switch, and gives what it answers. */
async function askForHost(path: string): Promise<number> {
  const socket = connect(path);
  await once(socket, 'connect');
  const question = {
    operation: ARP.request,
    senderMac: MAC,
    senderIp: parseIp(GUEST_IP) ?? 0,
    targetMac: 0,
    targetIp: parseIp(LAN_HOST) ?? 0,
  };
  const frame = { target: BROADCAST, source: MAC, type: ETHERTYPE.arp };
  const ask = (): boolean =>
    socket.write(withLength(buildFrame({ ...frame, payload: buildArp(question) })));
  ask();
  const again = setInterval(ask, 200);
  const splitter = new FrameSplitter();
  try {
    for await (const bytes of socket) {
      for (const taken of splitter.take(new Uint8Array(bytes as Buffer))) {
        const parsed = parseFrame(taken);
        const message = parsed?.type === ETHERTYPE.arp ? parseArp(parsed.payload) : null;
        if (message?.operation === ARP.reply && message.targetMac === MAC) return message.senderMac;
      }
    }
    return 0;
  } finally {
    clearInterval(again);
    socket.destroy();
  }
}

async function hostMac(lan: Lan, device: string): Promise<number> {
  const text = await lan.output(`cat /sys/class/net/${device}/address || ip link show ${device}`);
  const match = /(?:[0-9a-f]{2}:){5}[0-9a-f]{2}/.exec(text);
  return Number.parseInt((match?.[0] ?? '').replaceAll(':', ''), 16);
}

test('a TAP interface leads to the network', async (t) => {
  const lan = await Lan.open(t, Lan.bridge(['tap0']));
  if (lan === null) return;
  const path = join(makeTemporaryFolder('uplink'), 'switch');
  const process = await startSwitch(t, lan, path, 'tap0');
  t.is(await askForHost(path), await hostMac(lan, 'bridge0'));
  process.signal('SIGTERM');
  t.is(await process.exit(), 0);
});

test('a macvtap leads to the network', async (t) => {
  const lan = await Lan.open(t, [
    'ip link add veth0 type veth peer name veth1',
    `ip addr add ${LAN_HOST}/24 dev veth1`,
    'ip link set veth0 up',
    'ip link set veth1 up',
    `ip link add link veth0 name macvtap0 address 52:54:00:00:00:07 type macvtap mode bridge`,
    'ip link set macvtap0 up',
  ]);
  if (lan === null) return;
  const index = await lan.output('ip -o link show macvtap0 | cut -d: -f1');
  const path = join(makeTemporaryFolder('uplink'), 'switch');
  await startSwitch(t, lan, path, `/dev/tap${index}`);
  t.is(await askForHost(path), await hostMac(lan, 'veth1'));
});

test('an uplink that is none, and one that goes away, are IO', async (t) => {
  const lan = await Lan.open(t, Lan.bridge(['tap0']));
  if (lan === null) return;
  const path = join(makeTemporaryFolder('uplink'), 'switch');
  for (const uplink of ['/dev/tap99999', '/dev/null', 'bridge0']) {
    const words = ['switch', '--listen', `unix:${path}`, '--uplink', uplink, '--json'];
    const refused = lan.start(LOCKSTEP, words);
    t.is(await refused.exit(), EXIT_STATUS.IO, uplink);
  }
  const process = await startSwitch(t, lan, path, 'tap0');
  await lan.output('ip link del tap0');
  t.is(await process.exit(), EXIT_STATUS.IO);
});

test('a connection outlives the host that it led to, switch and all', async (t) => {
  if ((await debianImage(t)) === null) return;
  const lan = await Lan.open(t, Lan.bridge(['tap0', 'tap1']));
  if (lan === null) return;
  const fixture = new PairFixture(t, LOCKSTEP, []);
  const at = (name: string): string => join(fixture.folder, name);
  const switches = [
    await startSwitch(t, lan, at('switch-0'), 'tap0'),
    await startSwitch(t, lan, at('switch-1'), 'tap1'),
  ];
  const relay = lan.start(RELAY, [at('relay'), GUEST_IP, '7']);
  t.teardown(() => relay.kill());
  await relay.heard('ready');
  const commands = `ip addr add ${GUEST_IP}/24 dev eth0; nc -ll -p 7 -e cat`;
  const machine = [
    ...imageFlags(await cachedDebianImage()),
    ...['--append', `console=ttyS0 quiet lockstep.run="${commands}"`, '--suspect-ms', '3000'],
  ];
  const plug = (side: number): string[] => ['--net', `switch:unix:${at(`switch-${side}`)}`];
  const primary = fixture.primary(...machine, ...plug(0));
  const backup = await fixture.backup([primary], ...machine, ...plug(1));
  await primary.heard('protecting -> protected');
  const client = new EchoClient(await LastingConnection.echoed(at('relay')));
  await client.more(20);
  primary.signal('SIGKILL');
  switches[0]?.signal('SIGKILL');
  await client.more(20);
  await startSwitch(t, lan, at('switch-0'), 'tap0');
  await fixture.backup([backup], ...machine, ...plug(0));
  await backup.heard('protecting -> protected');
  await client.more(20);
  backup.signal('SIGKILL');
  switches[1]?.signal('SIGKILL');
  await client.more(20);
  await client.stop();
  t.is(client.failure, null);
});
