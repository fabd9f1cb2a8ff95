/**
 * The life of a switch process, from its options to the signal that ends it.
 */

import { formatIp } from '../lib/network/ipv4.js';
import { Switch, type SwitchOptions } from './switch.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs until a signal comes, and gives the exit status. Errors: USAGE, INSECURE, IO. */
export async function runSwitch(options: SwitchOptions): Promise<number> {
  const { journal } = options;
  journal.role = 'switch';
  const opened = await Switch.open(options);
  const forwards = options.forwards.map(({ host, guest, guestPort }, index) => {
    const port = opened.forwardedPorts[index] ?? 0;
    return `${host}:${port}->${formatIp(guest)}:${guestPort}`;
  });
  journal.note({
    event: 'ready',
    fields: { address: opened.address, forwards: forwards.join(','), reach: options.reach },
  });
  await new Promise<void>((resolve) => {
    for (const signal of SIGNALS) process.once(signal, () => resolve());
  });
  opened.close();
  return 0;
}
