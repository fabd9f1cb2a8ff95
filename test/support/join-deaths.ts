/**
 * Deaths in the middle of a copy: a machine with a backup takes on a second one, and before that
 * has all of it either the joining node is killed, or the primary. In the first case nothing may
 * change for the client; in the second the first backup takes over, and the node that was joining
 * has to join there.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { Protection } from '../../lib/rpc/generated/lockstep/v1/machine.js';
import { until, type NodeProcess } from '../../tools/demo/node-process.js';
import { insist } from './campaign-checks.js';
import { CampaignClient } from './campaign-client.js';
import { Fleet, statusOf, untilProtected } from './campaign-fleet.js';
import type { CampaignGuest } from './campaign-guests.js';
import { Random } from './random.js';

const DEATHS = ['joining', 'primary'] as const;

export interface JoinDeath {
  readonly number: number;
  readonly who: (typeof DEATHS)[number];
  /** From the beginning of the copy to the kill. */
  readonly afterMs: number;
  readonly answered: number;
}

/** A busy host is no dead one; and as many backups as this needs. */
const FLAGS = ['--suspect-ms', '10000', '--backups', '2'] as const;
const JOIN_MS = 120_000;
/** A copy of 256 MiB takes longer than this. */
const COPY_MS = 300;
const ANSWERS = 20;

export class JoinDeaths {
  private readonly fleet: Fleet;
  private readonly guest: CampaignGuest;
  private readonly random: Random;
  private nodes: { primary: NodeProcess; backup: NodeProcess } | null = null;
  private client: CampaignClient | null = null;

  constructor(guest: CampaignGuest, seed: number) {
    this.guest = guest;
    this.random = new Random(seed);
    this.fleet = new Fleet([...guest.machine, ...FLAGS]);
  }

  async start(): Promise<void> {
    const { restore, dialect, ahead } = this.guest;
    const primary = this.fleet.primary(...(restore === null ? [] : ['--restore', restore]));
    const backup = await this.fleet.backup([primary]);
    await untilProtected(primary, JOIN_MS);
    this.nodes = { primary, backup };
    const addresses = [await primary.address(), await backup.address()];
    this.client = new CampaignClient(addresses, dialect, ahead);
    this.client.run();
    await this.answers();
  }

  /** One death. Errors: Broken. */
  async die(number: number): Promise<JoinDeath> {
    const { primary, backup, client } = this.running;
    const who = DEATHS[number % DEATHS.length] ?? 'joining';
    const joining = await this.fleet.backup([primary, backup]);
    await joining.heard('greeting -> loading');
    const afterMs = this.random.below(COPY_MS);
    await delay(afterMs);
    insist(!joining.journal.some(isLoaded), 'the copy is not finished');
    if (who === 'joining') await this.loseJoining(joining);
    else await this.losePrimary(joining);
    await this.answers();
    return { number, who, afterMs, answered: client.answered };
  }

  /** Everything that was sent is answered. */
  async finish(): Promise<number> {
    const { client } = this.running;
    client.pause();
    await until('the last answers', () => this.isSound() && client.isQuiet);
    return client.answered;
  }

  async close(): Promise<void> {
    this.client?.close();
    await this.fleet.close();
  }

  private get running() {
    insist(this.nodes !== null && this.client !== null, 'the machine has been started');
    return { ...this.nodes, client: this.client };
  }

  private async loseJoining(joining: NodeProcess): Promise<void> {
    const { primary } = this.running;
    const { epoch } = await statusOf(primary);
    joining.signal('SIGKILL');
    await joining.exit();
    const { protection, epoch: after } = await statusOf(primary);
    insist(protection === Protection.PROTECTED, 'the machine is protected as before');
    insist(after === epoch, `epoch ${after} came after ${epoch}`);
    this.fleet.forget(joining);
  }

  private async losePrimary(joining: NodeProcess): Promise<void> {
    const { primary, backup } = this.running;
    primary.signal('SIGKILL');
    await backup.heard('serves');
    await untilProtected(backup, JOIN_MS);
    insist(joining.journal.some(isLoaded), 'the node that was joining protects now');
    this.fleet.forget(primary);
    this.nodes = { primary: backup, backup: joining };
  }

  private async answers(): Promise<void> {
    const { client } = this.running;
    const wanted = client.answered + ANSWERS;
    await until('more answers', () => this.isSound() && client.answered >= wanted);
  }

  private isSound(): boolean {
    const { client } = this.running;
    insist(client.fault === null, `the client: ${client.fault ?? ''}`);
    return true;
  }
}

function isLoaded({ event }: { readonly event: string }): boolean {
  return event === 'loading -> following';
}
