/**
 * `lockstep switch`: the network between machines and the host, in a process that outlives them.
 */

import { LockstepError } from '../../lib/base/error.js';
import { FIRST_GUEST_IP, type Reach } from '../../lib/network/gateway-contract.js';
import { parseIp } from '../../lib/network/ipv4.js';
import { Journal } from '../../lib/node/journal.js';
import type { Forward } from '../../switch/host-streams.js';
import { runSwitch } from '../../switch/main.js';
import type { SwitchOptions } from '../../switch/switch.js';
import { parseUplink } from '../../switch/uplink.js';
import type { Arguments, Command } from '../command.js';

const DEFAULT_LISTEN = '127.0.0.1:0';

export const switchCommand: Command = {
  usage: [
    'switch [--listen ADDRESS] [-p [HOST:]PORT:[GUEST:]PORT]... [--reach REACH]',
    'switch [--listen ADDRESS] --uplink DEVICE',
  ],
  description:
    'Moves Ethernet frames between machines started with --net switch:ADDRESS, and stands for ' +
    'the rest of the network without privileges: ARP, DHCP, names and echo at 10.0.2.2, forwarded ' +
    'ports towards guests, and TCP and UDP from guests. The first guest has the address ' +
    '10.0.2.15.\n' +
    '\n' +
    'The connection of a client to a forwarded port ends here, not in the process that runs the ' +
    'guest. When that dies, the connection stays; what the guest has not acknowledged is sent ' +
    'again to wherever the machine goes on. A node of an older epoch is refused. The end of the ' +
    'switch itself ends all connections.\n' +
    '\n' +
    "Guests reach the host's loopback at 10.0.2.2, and nothing else unless --reach any says so.\n" +
    '\n' +
    'With --uplink the machines are in the network of a TAP interface instead, say one on a bridge ' +
    'with a card: they have addresses of that network, and other hosts with a switch of this kind ' +
    'can take a machine over, since whoever goes on with it announces its card there. The end of ' +
    'such a switch ends no connection.',
  options: {
    listen: {
      type: 'string',
      value: 'ADDRESS',
      help: `HOST:PORT or unix:PATH where machines are plugged in (${DEFAULT_LISTEN})`,
    },
    publish: {
      type: 'string',
      short: 'p',
      multiple: true,
      value: 'HOST:PORT',
      help: 'port of the host, and where it leads: 8080:80, or 127.0.0.1:8080:10.0.2.16:80',
    },
    reach: {
      type: 'string',
      value: 'none|loopback|any',
      help: 'what guests may connect to (loopback)',
    },
    uplink: {
      type: 'string',
      value: 'DEVICE',
      help: 'a TAP interface by its name (attached with python3), or a macvtap as /dev/tapN',
    },
    json: { type: 'boolean', help: 'journal on stderr as one JSON object a line' },
  },
  run(args: Arguments): Promise<number> {
    return runSwitch({
      listen: args.text('listen') ?? DEFAULT_LISTEN,
      outside: readOutside(args),
      journal: new Journal(process.stderr, args.flag('json')),
    });
  },
};

function readOutside(args: Arguments): SwitchOptions['outside'] {
  const uplink = args.text('uplink');
  const forwards = args.texts('publish').map(parseForward);
  if (uplink === undefined) return { kind: 'gateway', forwards, reach: readReach(args) };
  if (forwards.length > 0 || args.text('reach') !== undefined) {
    const message = '--uplink: the network answers for itself, without -p and --reach';
    throw new LockstepError('USAGE', message);
  }
  return { kind: 'uplink', target: parseUplink(uplink) };
}

function readReach(args: Arguments): Reach {
  const text = args.text('reach') ?? 'loopback';
  if (text === 'none' || text === 'loopback' || text === 'any') return text;
  throw new LockstepError('USAGE', `--reach: "${text}" is none of none, loopback, any`);
}

/** `[HOST:]PORT:[GUEST:]PORT`. Errors: USAGE. */
export function parseForward(text: string): Forward {
  const match = /^(?:([\d.]+|localhost):)?(\d{1,5}):(?:([\d.]+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  const guestPort = Number(match?.[4]);
  const guest = match?.[3] === undefined ? FIRST_GUEST_IP : parseIp(match[3]);
  const isSound = port <= 65_535 && guestPort > 0 && guestPort <= 65_535 && guest !== null;
  if (match === null || !isSound) {
    const forms = '8080:80 or 127.0.0.1:8080:10.0.2.15:80';
    throw new LockstepError('USAGE', `-p ${text}: write [HOST:]PORT:[GUEST:]PORT, as in ${forms}`);
  }
  return { host: match[1] ?? '127.0.0.1', port, guest, guestPort };
}
