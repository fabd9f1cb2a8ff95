/**
 * A chain of primaries that are stopped past their replacement and then continued: each wakes with
 * an epoch that is over, perhaps with output in hand that was acknowledged to it.
 *
 * What is checked: the client takes no byte of an older epoch; whatever the woken node still says
 * is what the client has already read at that place; the node finds out and ends as fenced.
 */

import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@grpc/grpc-js';
import { EXIT_STATUS } from '../../lib/base/error.js';
import { ConsoleLink } from '../../lib/node/console-link.js';
import { clientTarget } from '../../lib/rpc/client.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { checkConsole, insist } from './campaign-checks.js';
import { CampaignClient } from './campaign-client.js';
import type { Dialect } from './campaign-dialects.js';
import { Fleet, statusOf, untilProtected } from './campaign-fleet.js';
import { Random } from './random.js';

export interface ZombieRecord {
  readonly number: number;
  readonly epoch: bigint;
  /** From the stop to the first output of the new primary, at the client. */
  readonly failoverMs: number;
  /** From the continuation to the end of the process. */
  readonly fencedMs: number;
  /** Bytes that the woken node still sent to whoever was attached to it. */
  readonly lateBytes: number;
}

export interface ZombieOptions {
  readonly machine: readonly string[];
  readonly dialect: Dialect;
  readonly seed: number;
  readonly ahead: number;
  readonly onCycle?: (record: ZombieRecord) => void;
}

const RESERVED_CLIENT = 0x7a6f6d626965n;
const ANSWERS_BEFORE = 100;
const ANSWERS_AFTER = 50;

/** A reader that stays attached to one node, whatever its epoch, and keeps what comes. */
class Witness {
  readonly outputs: { readonly epoch: bigint; readonly offset: bigint; readonly bytes: Buffer }[] =
    [];
  private readonly client: Client;
  private readonly link: ConsoleLink;

  constructor(address: string, offset: bigint, epoch: bigint) {
    const { target, credentials, options } = clientTarget(address);
    this.client = new Client(target, credentials, options);
    this.link = new ConsoleLink(this.client, {
      opened: () => undefined,
      output: (at, from, bytes) =>
        this.outputs.push({ epoch: at, offset: from, bytes: Buffer.from(bytes) }),
      inputAck: () => undefined,
      nodes: () => undefined,
      power: () => undefined,
      over: () => undefined,
    });
    this.link.open({
      client: RESERVED_CLIENT,
      stream: 'uart',
      offset,
      epoch,
      write: false,
      fromOldest: false,
      machineId: '',
    });
  }

  close(): void {
    this.link.close();
    this.client.close();
  }
}

export class ZombieCampaign {
  readonly fleet: Fleet;
  readonly records: ZombieRecord[] = [];
  private readonly options: ZombieOptions;
  private readonly random: Random;

  constructor(options: ZombieOptions) {
    this.options = options;
    this.random = new Random(options.seed);
    this.fleet = new Fleet(options.machine);
  }

  /** Errors: Broken, and LockstepError for what does not come. */
  async run(cycles: number): Promise<void> {
    const { fleet } = this;
    let primary = fleet.primary();
    let backup = await fleet.backup([primary]);
    await untilProtected(primary);
    const { dialect, ahead } = this.options;
    const addresses = [await primary.address(), await backup.address()];
    const client = new CampaignClient(addresses, dialect, ahead);
    try {
      await until('the greeting', () => client.reply(/^R /));
      client.run();
      for (let number = 1; number <= cycles; number += 1) {
        await answers(client, ANSWERS_BEFORE);
        await this.cycle(number, client, primary, backup);
        fleet.forget(primary);
        primary = backup;
        backup = await fleet.backup([primary]);
        await untilProtected(primary);
      }
    } finally {
      client.close();
    }
  }

  private async cycle(
    number: number,
    client: CampaignClient,
    primary: NodeProcess,
    backup: NodeProcess,
  ): Promise<void> {
    const { epoch } = await statusOf(primary);
    const witness = new Witness(await primary.address(), client.offset, epoch);
    await until('the witness', () => witness.outputs.length > 0);
    await delay(this.random.below(200));
    const stopMs = performance.now();
    primary.signal('SIGSTOP');
    const dawn = await until('output of the new primary', () =>
      client.dawns.find((one) => one.epoch > epoch),
    );
    await answers(client, ANSWERS_AFTER);
    const seen = witness.outputs.length;
    const wakeMs = performance.now();
    primary.signal('SIGCONT');
    const status = await primary.exit();
    const fencedMs = performance.now() - wakeMs;
    insist(status === EXIT_STATUS.FENCED, `the woken node ended with status ${status}`);
    await answers(client, ANSWERS_AFTER);
    const late = witness.outputs.slice(seen);
    witness.close();
    for (const output of late) compare(client, output);
    await checkConsole(backup, client);
    const lateBytes = late.reduce((sum, { bytes }) => sum + bytes.length, 0);
    const failoverMs = dawn.atMs - stopMs;
    const record = { number, epoch: dawn.epoch, failoverMs, fencedMs, lateBytes };
    this.records.push(record);
    this.options.onCycle?.(record);
  }
}

/** What a zombie says late was acknowledged before, so the client has read the same. */
function compare(client: CampaignClient, output: Witness['outputs'][number]): void {
  const { start, bytes } = client.history();
  const from = Number(output.offset - start);
  if (from < 0) return;
  const read = bytes.subarray(from, from + output.bytes.length);
  insist(
    read.equals(output.bytes),
    `at ${output.offset} the woken node said other bytes than the client has read`,
  );
}

async function answers(client: CampaignClient, count: number): Promise<void> {
  const wanted = client.answered + count;
  await until('answers', () => {
    insist(client.fault === null, `the client: ${client.fault ?? ''}`);
    return client.answered >= wanted;
  });
}
