/**
 * Puts a core's question to the arbiter and brings the answer back.
 *
 * A failure is the answer `unavailable`, whatever its cause: the core asks again. It is told to
 * the operator once, not at each try.
 */

import { LockstepError } from '../base/error.js';
import type { ArbiterAnswer, Holder } from '../protocol/arbiter.js';
import type { Node } from './node.js';

const told = new WeakSet<Node>();

export function askArbiter(
  node: Node,
  generation: bigint,
  answered: (answer: ArbiterAnswer) => void,
): void {
  const claim = { machine: node.machineId, generation, holder: node.holder };
  node.arbiter.claim(claim).then(
    (answer) => {
      told.delete(node);
      const won = answer.outcome === 'won';
      node.metrics.add('lockstep_arbiter_requests_total', { result: won ? 'won' : 'lost' });
      node.journal.note({
        event: `arbiter: ${answer.outcome}`,
        fields: {
          generation,
          ...(answer.outcome === 'lost' ? { holder: answer.holder.address } : {}),
          ...(answer.outcome === 'won' && answer.token !== undefined
            ? { token: answer.token }
            : {}),
        },
      });
      answered(answer);
    },
    (error: unknown) => {
      node.metrics.add('lockstep_arbiter_requests_total', { result: 'unavailable' });
      if (!told.has(node)) {
        told.add(node);
        const detail = error instanceof LockstepError ? error.message : String(error);
        node.journal.note({ event: 'arbiter: unavailable', detail });
      }
      answered({ outcome: 'unavailable' });
    },
  );
}

/** The failure of a node that did not get the generation it asked for. */
export function lostTo(holder: Holder | null): LockstepError {
  const where = holder === null ? '' : `; the primary is at ${holder.address}`;
  const fields = holder === null ? {} : { primary: holder.address };
  return new LockstepError('FENCED', `another node holds the next generation${where}`, fields);
}
