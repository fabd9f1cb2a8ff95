/**
 * `lockstep console`: a console of the machine, wherever it runs.
 */

import { LockstepError } from '../../lib/base/error.js';
import { INPUT_STREAMS } from '../../lib/event/event.js';
import type { Arguments, Command } from '../command.js';
import { ConsoleTerminal, DEFAULT_LINGER_MS } from '../console-terminal.js';

export const consoleCommand: Command = {
  usage: ['console --connect ADDRESS[,ADDRESS]... [--stream NAME] [--read-only]'],
  description:
    'Attaches to a console of the machine. It finds whichever node is primary, and when that one ' +
    'dies it goes on with the next at the same byte: none is lost, none comes twice. On a ' +
    'terminal Ctrl-] leaves; on a pipe it ends when all input is acknowledged and the guest quiet.',
  options: {
    connect: {
      type: 'string',
      value: 'A,B',
      help: 'addresses of the nodes, HOST:PORT or unix:PATH',
    },
    stream: { type: 'string', value: 'NAME', help: `${INPUT_STREAMS.join(' or ')} (uart)` },
    'machine-id': { type: 'string', value: 'NAME', help: 'refuse another machine' },
    'read-only': { type: 'boolean', help: 'only watch; any number of clients can' },
    offset: { type: 'string', value: 'N', help: 'first byte wanted (the oldest that is kept)' },
    linger: {
      type: 'string',
      value: 'TIME',
      help: `quiet time after the end of piped input (${DEFAULT_LINGER_MS}ms)`,
    },
    quiet: { type: 'boolean', short: 'q', help: 'say nothing about nodes on stderr' },
  },
  run(args: Arguments): Promise<number> {
    const addresses = args.list('connect') ?? [];
    if (addresses.length === 0) throw new LockstepError('USAGE', '--connect A,B is needed');
    const stream = INPUT_STREAMS.find((name) => name === (args.text('stream') ?? 'uart'));
    if (stream === undefined) {
      throw new LockstepError('USAGE', `--stream is ${INPUT_STREAMS.join(' or ')}`);
    }
    return new ConsoleTerminal({
      addresses,
      stream,
      isReadOnly: args.flag('read-only'),
      isQuiet: args.flag('quiet'),
      lingerMs: args.duration('linger') ?? DEFAULT_LINGER_MS,
      machineId: args.text('machine-id') ?? '',
      offset: args.count('offset') ?? null,
    }).run();
  },
};
