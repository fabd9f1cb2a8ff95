/**
 * Builds the primary of a machine that powers on, or that goes on from a snapshot.
 */

import type { OutputStream } from '../lib/event/event.js';
import { startOfChain } from '../lib/host/log-store/meta.js';
import { sha256 } from '../lib/host/log-store/sha256.js';
import { HartPort } from '../lib/node/hart-port.js';
import { createLogFiles, createLogFilesFrom } from '../lib/node/log-files.js';
import { LogTail } from '../lib/node/log-tail.js';
import type { MachineSpec } from '../lib/node/machine-spec.js';
import type { Node } from '../lib/node/node.js';
import { StreamHistory } from '../lib/node/stream-history.js';
import { readPosition } from '../lib/session/snapshot.js';
import { networkPlace } from './network.js';
import { Primary } from './primary.js';

/** A machine that powers on. Errors: as HartPort.start and createLogFiles. */
export async function powerOn(node: Node, spec: MachineSpec): Promise<Primary> {
  const role = { kind: 'record', epoch: 1n, firstSeq: 1n } as const;
  const { storage } = node;
  const hart = await HartPort.start({ spec, start: { kind: 'boot' }, role, storage });
  // The machine proves that it can be built; it goes on when the arbiter has granted the epoch.
  hart.host.pause();
  const start = startOfChain(hart.digest);
  const files = storage === null ? null : createLogFiles(storage, spec, hart.digest, start);
  const tail = new LogTail({ seq: 0n, hash: start.previousHash }, files);
  const histories = new Map<OutputStream, StreamHistory>();
  const network = networkPlace(spec);
  return new Primary({ node, hart, tail, files, takeover: null, histories, network, stop: null });
}

/**
 * A machine that goes on from a snapshot, in a life of its own: its log begins there and its
 * epochs begin anew. Errors: also BAD_SNAPSHOT.
 */
export async function restore(
  node: Node,
  spec: MachineSpec,
  snapshot: Uint8Array,
): Promise<Primary> {
  const { seq, outputs } = readPosition(snapshot);
  const firstSeq = seq + 1n;
  const role = { kind: 'record', epoch: 1n, firstSeq } as const;
  const { storage } = node;
  const from = { kind: 'snapshot', snapshot } as const;
  const hart = await HartPort.start({ spec, start: from, role, storage });
  hart.host.pause();
  const start = { firstSeq, previousHash: sha256(snapshot) };
  const files =
    storage === null ? null : createLogFilesFrom(snapshot, storage, spec, hart.digest, start);
  const tail = new LogTail({ seq, hash: start.previousHash }, files);
  const histories = new Map<OutputStream, StreamHistory>();
  for (const { stream, offset } of outputs) histories.set(stream, new StreamHistory(offset));
  const network = networkPlace(spec);
  return new Primary({ node, hart, tail, files, takeover: null, histories, network, stop: null });
}
