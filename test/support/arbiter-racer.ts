/**
 * A process that claims generations when it is told to: one message `[machine, generation]`, one
 * answer. Two of them race for the test of the generation file.
 */

import { GenerationFileArbiter } from '../../lib/arbiter/generation-file.js';

const [directory = '', address = ''] = process.argv.slice(2);
const arbiter = new GenerationFileArbiter(directory);
const holder = { address, incarnation: `${process.pid}` };

process.on('message', (order: { readonly machine: string; readonly generation: string }) => {
  const claim = { machine: order.machine, generation: BigInt(order.generation), holder };
  arbiter.claim(claim).then(
    (answer) => process.send?.(answer),
    (error: unknown) => process.send?.({ outcome: String(error) }),
  );
});
process.send?.({ outcome: 'ready' });
