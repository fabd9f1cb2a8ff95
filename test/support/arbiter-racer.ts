/**
 * A process that claims generations when it is told to: one message `[machine, generation]`, one
 * answer. Two of them race in the tests of the arbiters.
 */

import { parseArbiter } from '../../lib/arbiter/parse-arbiter.js';

const [place = '', address = ''] = process.argv.slice(2);
const arbiter = parseArbiter(place);
const holder = { address, incarnation: `${process.pid}` };

process.on('message', (order: { readonly machine: string; readonly generation: string }) => {
  const claim = { machine: order.machine, generation: BigInt(order.generation), holder };
  arbiter.claim(claim).then(
    ({ outcome }) => process.send?.({ outcome }),
    (error: unknown) => process.send?.({ outcome: String(error) }),
  );
});
process.send?.({ outcome: 'ready' });
