/**
 * The arbiter as files in a directory that both nodes reach: `file:DIR`.
 *
 * A claim writes a complete record to a temporary file, flushes it, and links it to the name of
 * the generation. link(2) is atomic and fails if the name exists, on local file systems and on
 * NFS; so a generation file is never torn and never replaced. Then the directory is flushed: a
 * won claim survives a power loss.
 *
 * Invariant: no file of a generation is ever changed or removed. A generation below the newest
 * can't be won any more, whether its file exists or not.
 *
 * What it is not: flock, which a stopped process keeps and a dead one loses.
 */

import { randomBytes } from 'node:crypto';
import { link, open, readFile, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../base/error.js';
import { sameHolder, type ArbiterAnswer, type Claim } from '../protocol/arbiter.js';
import {
  checkMachineId,
  encodeRecord,
  parseRecord,
  type GenerationRecord,
} from './generation-record.js';
import type { HostArbiter } from './host-arbiter.js';

export class GenerationFileArbiter implements HostArbiter {
  private readonly directory: string;

  /** `directory` must exist: creating it here could split two nodes that meant the same one. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Fails with ARBITER_UNAVAILABLE unless a claim could be written now. For the start of a
   * process, where waiting for somebody to repair the path would only hide a mistake.
   */
  async check(): Promise<void> {
    try {
      await unlink(await this.writeTemporary('check', ''));
    } catch (error) {
      throw this.unavailable('written', error);
    }
  }

  /** Rejects with ARBITER_UNAVAILABLE where the contract says `unavailable`. */
  async claim(claim: Claim): Promise<ArbiterAnswer> {
    checkMachineId(claim.machine);
    try {
      const newest = await this.readNewest(claim.machine);
      if (newest === null || newest.generation < claim.generation) await this.link(claim);
      // Another claimant may have linked first, here or beyond; the newest record decides.
      const decided = await this.readNewest(claim.machine);
      if (decided === null) throw new Error('the record that was linked is gone');
      const won =
        decided.generation === claim.generation && sameHolder(decided.holder, claim.holder);
      return won ? { outcome: 'won' } : { outcome: 'lost', holder: decided.holder };
    } catch (error) {
      throw this.unavailable('claimed', error);
    }
  }

  async newest(machine: string): Promise<GenerationRecord | null> {
    checkMachineId(machine);
    try {
      return await this.readNewest(machine);
    } catch (error) {
      throw this.unavailable('read', error);
    }
  }

  close(): void {
    // Nothing is open between two claims.
  }

  private path(machine: string, generation: bigint): string {
    return join(this.directory, `${machine}.generation-${generation}.json`);
  }

  /** Puts the record in place unless one is there already. */
  private async link(claim: Claim): Promise<void> {
    const temporary = await this.writeTemporary(claim.machine, encodeRecord(claim));
    try {
      await link(temporary, this.path(claim.machine, claim.generation));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    } finally {
      await unlink(temporary);
    }
    const directory = await open(this.directory, 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  /** Path of a new file with `text`, flushed to disk. */
  private async writeTemporary(machine: string, text: string): Promise<string> {
    const name = `.${machine}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
    const temporary = join(this.directory, name);
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    return temporary;
  }

  private async readNewest(machine: string): Promise<GenerationRecord | null> {
    const prefix = `${machine}.generation-`;
    let newest = 0n;
    for (const name of await readdir(this.directory)) {
      if (!name.startsWith(prefix)) continue;
      const number = /^([1-9]\d{0,18})\.json$/.exec(name.slice(prefix.length))?.[1];
      if (number !== undefined && BigInt(number) > newest) newest = BigInt(number);
    }
    if (newest === 0n) return null;
    const path = this.path(machine, newest);
    const record = parseRecord(await readFile(path, 'utf8'));
    if (record?.machine !== machine || record.generation !== newest) {
      throw new Error(`${path} is not the record of generation ${newest}`);
    }
    return record;
  }

  private unavailable(verb: string, error: unknown): LockstepError {
    const reason = error instanceof Error ? error.message : String(error);
    const hint =
      codeOf(error) === 'ENOENT'
        ? 'the directory must exist before the nodes start'
        : 'nobody is promoted until it can be';
    return new LockstepError(
      'ARBITER_UNAVAILABLE',
      `the arbiter file:${this.directory} can't be ${verb}: ${reason}; ${hint}`,
      { directory: this.directory },
    );
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
