/**
 * The life of a switch process, from its options to the signal that ends it.
 */

import type { LockstepError } from '../lib/base/error.js';
import { formatIp } from '../lib/network/ipv4.js';
import { Switch, type SwitchOptions } from './switch.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs until a signal comes or the uplink fails, and gives the exit status. Errors: USAGE,
 * INSECURE, IO.
 */
export async function runSwitch(options: Omit<SwitchOptions, 'onFailure'>): Promise<number> {
  const { journal } = options;
  journal.role = 'switch';
  let end: (failure: LockstepError | null) => void = () => undefined;
  const ended = new Promise<LockstepError | null>((resolve) => {
    end = resolve;
  });
  const opened = await Switch.open({ ...options, onFailure: end });
  const fields = { address: opened.address, ...outsideFields(options, opened) };
  journal.note({ event: 'ready', fields });
  for (const signal of SIGNALS) process.once(signal, () => end(null));
  const failure = await ended;
  opened.close();
  if (failure !== null) throw failure;
  return 0;
}

function outsideFields(
  { outside }: Omit<SwitchOptions, 'onFailure'>,
  { forwardedPorts }: Switch,
): Record<string, string> {
  if (outside.kind === 'uplink') {
    const { target } = outside;
    return { uplink: target.kind === 'tap' ? target.name : target.path };
  }
  const forwards = outside.forwards.map(({ host, guest, guestPort }, index) => {
    const port = forwardedPorts[index] ?? 0;
    return `${host}:${port}->${formatIp(guest)}:${guestPort}`;
  });
  return { forwards: forwards.join(','), reach: outside.reach };
}
