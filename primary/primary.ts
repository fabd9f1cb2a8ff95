/**
 * The primary's role: runs the machine, records it, sends the log, holds output until it may go.
 *
 *      hart  --entries--> recorder --> log tail, log file --> channel --> backup
 *            --output---> gate ---released---> consoles of clients
 *                           ^
 *      core  --release------+       (every decision is the core's)
 *
 * It begins with a machine that powers on, or takes over one that a backup has brought to the end
 * of its log. Either way the arbiter has granted an epoch before anything is recorded for others
 * to see, and every output carries that epoch.
 */

import { LockstepError } from '../lib/base/error.js';
import type { OutputStream } from '../lib/event/event.js';
import type { OutputReport, StreamTail } from '../lib/host/hart-messages.js';
import type { MachineStop } from '../lib/machine/machine.js';
import { CoreDriver } from '../lib/node/core-driver.js';
import type { HartPort } from '../lib/node/hart-port.js';
import type { LogFiles } from '../lib/node/log-files.js';
import type { LogTail } from '../lib/node/log-tail.js';
import type { NetworkLink } from '../lib/node/network-link.js';
import type { Node } from '../lib/node/node.js';
import {
  notPrimary,
  type AttachCall,
  type ReplicateCall,
  type RoleServices,
  type RoleStatus,
  type WatchCall,
} from '../lib/node/role.js';
import type { StreamHistory } from '../lib/node/stream-history.js';
import { askArbiter } from '../lib/node/ask-arbiter.js';
import type { Holder } from '../lib/protocol/arbiter.js';
import { PrimaryCore } from '../lib/protocol/primary-core.js';
import type { PrimaryEffect, PrimaryInput, Takeover } from '../lib/protocol/primary-contract.js';
import { ConsoleHub } from './console.js';
import { PrimaryChannel } from './channel.js';
import { FENCE_TEXT } from './fence-text.js';
import { FlushOrder } from './flush-order.js';
import { GuestSpeed } from './guest-speed.js';
import { OutputGate } from './gate.js';
import { ReportIntake } from './intake.js';
import { openNetwork, type NetworkPlace } from './network.js';
import { Recorder } from './recorder.js';
import { describePrimary, PrimaryMeters } from './status.js';
import { WatchHub } from './watch.js';

/** Time for clients to read the last words of a machine that ended in order. */
const FAREWELL_MS = 300;

export interface PrimaryParts {
  readonly node: Node;
  readonly hart: HartPort;
  readonly tail: LogTail;
  readonly files: LogFiles | null;
  /** What a promoted backup brings; null for a machine that powers on. */
  readonly takeover: Takeover | null;
  /** Output before the machine's own, by stream. */
  readonly histories: ReadonlyMap<OutputStream, StreamHistory>;
  /** The machine's network card and what it is plugged into; null for nothing. */
  readonly network: NetworkPlace | null;
  /** How the guest ended, if it has. */
  readonly stop: MachineStop | null;
}

export class Primary implements RoleServices {
  /** Resolves when the guest has ended in order; rejects when this node has to stop. */
  readonly done: Promise<MachineStop>;
  private readonly parts: PrimaryParts;
  private readonly core: PrimaryCore;
  private readonly driver: CoreDriver<PrimaryInput, PrimaryEffect>;
  private readonly intake: ReportIntake;
  private readonly recorder: Recorder;
  private readonly gate: OutputGate;
  private readonly consoles: ConsoleHub;
  private readonly watchers: WatchHub;
  private readonly channel: PrimaryChannel;
  private readonly meters: PrimaryMeters;
  private readonly speed: GuestSpeed;
  private readonly network: NetworkLink | null;
  private hasBegun = false;
  private stop: MachineStop | null;
  private fencedBy: Holder | null = null;
  private settle: { resolve: (stop: MachineStop) => void; reject: (error: unknown) => void };

  constructor(parts: PrimaryParts) {
    const { node, hart, tail } = parts;
    this.parts = parts;
    this.stop = parts.stop;
    this.settle = { resolve: () => undefined, reject: () => undefined };
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    const isDurable = node.storage?.ack === 'durable';
    const order = new FlushOrder(isDurable ? parts.files : null, (error) => this.fail(error));
    this.core = new PrimaryCore({
      limits: node.limits,
      ackMode: isDurable ? 'durable' : 'received',
      takeover: parts.takeover,
      backups: node.backups,
      position: tail.lastSeq,
    });
    this.driver = new CoreDriver({
      core: this.core,
      perform: (effect) => this.perform(effect),
      tick: (loopLagMs) => ({ kind: 'tick', loopLagMs }),
      onFailure: (error) => this.fail(error),
    });
    this.consoles = new ConsoleHub({
      node,
      epoch: () => this.epoch(),
      sendInput: (input) => hart.host.sendConsoleInput(input),
    });
    for (const [stream, history] of parts.histories) this.consoles.seed(stream, history);
    this.gate = new OutputGate(
      {
        publish: (output) => this.publish(output),
        inputCommitted: ({ client, sequence }) => this.consoles.inputCommitted(client, sequence),
      },
      node.metrics,
    );
    this.recorder = new Recorder(tail, node.metrics, hart.config);
    this.watchers = new WatchHub(tail);
    this.channel = new PrimaryChannel({
      node,
      hart,
      tail,
      histories: () => this.consoles.histories,
      throttle: (permille) => this.speed.forCopy(permille),
      logReports: () => void this.intake.flush(),
      give: (input) => {
        // A snapshot may stand at entries that are on their way to the disk.
        if (input.kind === 'snapshot-taken') void order.run(() => this.driver.give(input));
        else this.driver.give(input);
        if (input.kind === 'ack') this.intake.acked();
      },
      epoch: () => this.epoch(),
      onBackups: () => this.consoles.tellBackups(this.channel.backupAddresses()),
    });
    this.intake = this.openIntake(order);
    this.network = openNetwork(parts, {
      epoch: () => this.epoch(),
      histories: this.consoles.histories,
      fail: (error) => this.fail(error),
    });
    this.meters = new PrimaryMeters({ node, hart, core: this.core, channel: this.channel });
    this.speed = new GuestSpeed({
      apply: (permille) => hart.host.setThrottle(permille),
      note: (permille) => this.meters.noteThrottle(permille),
    });
  }

  get digest(): string {
    return this.parts.hart.digest;
  }

  /** Where the log is written, null without a state directory. */
  get logDirectory(): string | null {
    return this.parts.files?.directory ?? null;
  }

  /** Serves callers and lets the core begin. */
  start(): void {
    const { node } = this.parts;
    node.journal.role = 'primary';
    node.journal.epoch = this.epoch();
    node.setRole(this);
    this.meters.publishRole('primary');
    this.driver.give({ kind: 'start' });
  }

  status(): RoleStatus {
    return describePrimary({
      core: this.core,
      hart: this.parts.hart,
      gate: this.gate,
      channel: this.channel,
      histories: this.consoles.histories,
      address: this.parts.node.address,
      stop: this.stop,
      fencedBy: this.fencedBy,
    });
  }

  replicate(call: ReplicateCall): void {
    this.channel.accept(call);
  }

  attach(call: AttachCall): void {
    this.requireVoice();
    this.consoles.attach(call);
  }

  watch(call: WatchCall): void {
    this.requireVoice();
    this.watchers.watch(call);
  }

  /** Ends everything at once; what is not sent is lost, as in a crash. */
  async close(): Promise<void> {
    this.driver.stop();
    this.intake.close();
    this.gate.close();
    this.channel.close();
    this.watchers.close();
    this.network?.close();
    await this.parts.hart.stop();
    await this.parts.files?.close();
  }

  private epoch(): bigint {
    return this.core.figures(CoreDriver.nowMs()).epoch;
  }

  private requireVoice(): void {
    const { state } = this.core;
    if (state !== 'fenced' && state !== 'starting') return;
    throw notPrimary(this.fencedBy?.address ?? null, this.epoch());
  }

  private openIntake(order: FlushOrder): ReportIntake {
    return new ReportIntake({
      recorder: this.recorder,
      order,
      gate: this.gate,
      consoles: this.consoles,
      give: (input) => this.driver.give(input),
      onLogged: () => this.watchers.notice(),
      onStopped: (stop) => {
        this.stop = stop;
      },
      awaitsAck: () => this.core.awaitsAck(),
      fail: (error) => this.fail(error),
    });
  }

  private perform(effect: PrimaryEffect): void {
    const { node, tail, hart } = this.parts;
    switch (effect.kind) {
      case 'transition':
        return this.noteTransition(effect.from, effect.to, effect.cause);
      case 'claim':
        askArbiter(node, effect.generation, (answer) => {
          this.driver.give({ kind: 'claimed', generation: effect.generation, answer });
        });
        return;
      case 'log-epoch':
        return this.logEpoch(effect.epoch);
      case 'stand-by':
        return this.channel.standBy(effect);
      case 'answer-hello':
        return this.channel.answerHello(effect);
      case 'take-snapshot':
        return this.channel.takeSnapshot(effect.session, this.epoch());
      case 'send-batch':
        return this.channel.sendBatch(effect);
      case 'send-heartbeat':
        return this.channel.sendHeartbeat(effect);
      case 'release':
        return this.gate.release(effect.throughSeq, CoreDriver.nowMs());
      case 'resend':
        // Output that a predecessor held back leaves when the machine is promoted: `takeOver`.
        return;
      case 'announce':
        node.journal.note({ event: 'serves', fields: { address: node.address } });
        return;
      case 'trim':
        return tail.pin(effect.throughSeq);
      case 'set-throttle':
        return this.speed.forLag(effect.permille);
      case 'pause-guest':
        node.journal.note({ event: 'guest paused', detail: effect.cause });
        this.meters.notePause(true);
        return hart.host.pause();
      case 'resume-guest':
        node.journal.note({ event: 'guest resumed' });
        this.meters.notePause(false);
        return hart.host.resume();
      case 'close-stream':
        return this.channel.closeStream(effect, this.fencedBy?.address ?? null, this.epoch());
      case 'fence':
        return this.fence(effect.cause, effect.holder);
      case 'stop':
        return this.endInOrder();
    }
  }

  private logEpoch(epoch: bigint): void {
    const { hart, takeover } = this.parts;
    if (this.hasBegun) return hart.host.logEpoch(epoch);
    this.hasBegun = true;
    if (takeover !== null) {
      this.takeOver(takeover).catch((error: unknown) => this.fail(error));
      return;
    }
    this.consoles.serve();
    this.gate.open(CoreDriver.nowMs());
    hart.listen(this.intake.listener);
    hart.host.resume();
    this.network?.start(null);
  }

  /**
   * The machine goes on recording where its replay ended. What its predecessor may not have let
   * out leaves first; then the gate opens for what is new.
   */
  private async takeOver(takeover: Takeover): Promise<void> {
    const { node, hart } = this.parts;
    const { epoch, lastSeq } = takeover;
    let tails: readonly StreamTail[];
    hart.listen(this.intake.listener);
    if (takeover.guestStopped) {
      tails = await hart.host.outputs();
      const entry = { seq: lastSeq + 1n, event: { kind: 'epoch', epoch } } as const;
      for (const input of this.recorder.record([entry])) this.driver.give(input);
    } else {
      const { seq, steps, check, outputs } = await hart.host.promote(epoch);
      node.journal.note({
        event: 'goes on',
        detail: 'where the log of its predecessor ends',
        fields: {
          seq: seq - 1n,
          step: steps.join(','),
          check: check.seq,
          hash: check.hash.toString(16).padStart(16, '0'),
        },
      });
      tails = outputs;
    }
    await this.parts.files?.flush();
    for (const { stream, offset, bytes } of tails) {
      this.consoles.goOn(stream, offset);
      this.consoles.publish(stream, offset, bytes);
    }
    this.consoles.serve();
    this.gate.open(CoreDriver.nowMs());
    this.parts.node.setPrimary(true);
    // A guest that has stopped takes no frames, and nobody waits for its last ones.
    if (takeover.guestStopped) return;
    this.network?.start(tails.find(({ stream }) => stream === 'network')?.released ?? null);
  }

  private publish({ stream, offset, bytes }: OutputReport): void {
    this.consoles.publish(stream, offset, bytes);
    if (stream === 'network') this.network?.notice();
  }

  private noteTransition(from: string, to: string, cause: string): void {
    const { node } = this.parts;
    node.journal.epoch = this.epoch();
    if (to === 'fenced' || to === 'stopped') node.journal.role = to;
    node.journal.note({ event: `${from} -> ${to}`, detail: cause });
    node.setPrimary(to !== 'fenced' && to !== 'stopped' && to !== 'starting');
    this.meters.publishState();
  }

  private fence(cause: string, holder: Holder | null): void {
    this.gate.close();
    this.network?.close();
    this.fencedBy = holder;
    this.meters.publishRole('fenced');
    const epoch = this.epoch();
    const where = holder === null ? '' : `; the primary is at ${holder.address}`;
    const error = new LockstepError('FENCED', `${FENCE_TEXT[cause] ?? cause}${where}`, {
      epoch,
      ...(holder === null ? {} : { primary: holder.address }),
    });
    this.consoles.endWith(notPrimary(holder?.address ?? null, epoch));
    this.parts.hart.host.pause();
    // Clients get their answers before the process ends.
    setTimeout(() => this.settle.reject(error), FAREWELL_MS);
  }

  private endInOrder(): void {
    const stop = this.stop ?? { cause: 'power-off', status: 0 };
    this.meters.publishRole('stopped');
    const { cause, status } = stop;
    this.parts.node.journal.note({ event: 'machine ended', fields: { cause, status } });
    this.consoles.endInOrder(stop);
    setTimeout(() => this.settle.resolve(stop), FAREWELL_MS);
  }

  private fail(error: unknown): void {
    this.driver.stop();
    this.intake.close();
    this.gate.close();
    this.network?.close();
    this.settle.reject(error);
  }
}
