/**
 * `meta.json` of a log directory: which machine the log belongs to and how to build it again.
 *
 * It is written once, last of all when a log is created, so a directory that has it has a log. It
 * repeats where the chain starts, so that a log that does not start at power-on (a backup joined
 * from a snapshot) can still be checked from its first byte. A checksum over the other fields
 * finds a damaged or edited file.
 */

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LockstepError } from '../../base/error.js';
import { HASH_BYTES } from '../../event/batch.js';
import { LOG_FORMAT_VERSION } from '../../event/event.js';
import type { DiskConfig, MachineConfig, NetworkCard } from '../../machine/config.js';
import { attempt } from './failure.js';
import { fromHex, sha256, toHex } from './sha256.js';

export const META_FILE = 'meta.json';

/** An image that the machine was built from. */
export interface ImageFile {
  readonly role: 'bios' | 'kernel' | 'initrd' | 'disk';
  /** Where it was; a hint for replay, which trusts the hash alone. */
  readonly path: string;
  /** SHA-256 of the file, hexadecimal. */
  readonly sha256: string;
}

/** Where the log begins: the position and chain hash before its first batch. */
export interface LogStart {
  readonly firstSeq: bigint;
  readonly previousHash: Uint8Array;
}

export interface LogMeta {
  /** SHA-256 over layout, configuration and images (`Machine.digest`), hexadecimal. */
  readonly machineDigest: string;
  readonly config: MachineConfig;
  readonly images: readonly ImageFile[];
  readonly start: LogStart;
}

/** The start of a log that begins at power-on. */
export function startOfChain(machineDigest: string): LogStart {
  return { firstSeq: 1n, previousHash: digestBytes(machineDigest) };
}

/** The 32 bytes of a machine digest; BAD_LOG if the text is not one. */
export function digestBytes(machineDigest: string): Uint8Array {
  const bytes = fromHex(machineDigest, HASH_BYTES);
  if (bytes === null) throw new LockstepError('BAD_LOG', `"${machineDigest}" is no machine digest`);
  return bytes;
}

/** Writes the file whole or not at all; on disk when it returns. */
export function writeMeta(directory: string, meta: LogMeta): void {
  const path = join(directory, META_FILE);
  const temporary = `${path}.new`;
  attempt('cannot write', path, () => {
    const fd = openSync(temporary, 'wx', 0o600);
    try {
      writeSync(fd, metaToText(meta));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  });
}

export function readMeta(directory: string): LogMeta {
  const path = join(directory, META_FILE);
  const text = attempt('cannot read', path, () => readFileSync(path, 'utf8'));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new LockstepError('BAD_LOG', `${path}: not JSON: ${error.message}`, { file: path });
  }
  const fields = new Fields(path, 'the file', parsed);
  checkVersion(fields);
  if (fields.text('checksum') !== checksum(fields.without('checksum'))) {
    throw new LockstepError('BAD_LOG', `${path}: its checksum does not match its content`, {
      file: path,
    });
  }
  return metaFromJson(fields);
}

function metaToText(meta: LogMeta): string {
  const { config, start } = meta;
  const json = {
    formatVersion: LOG_FORMAT_VERSION,
    machineDigest: meta.machineDigest,
    config: {
      memoryBytes: config.memoryBytes,
      harts: config.harts,
      schedule: config.schedule,
      append: config.append,
      initialRate: config.initialRate.toString(),
      rtcStartSeconds: config.rtcStartSeconds.toString(),
      rngSeed: toHex(config.rngSeed),
      network: config.network,
      ...(config.disks.length === 0 ? {} : { disks: config.disks }),
    },
    images: meta.images,
    start: { firstSeq: start.firstSeq.toString(), previousHash: toHex(start.previousHash) },
  };
  return JSON.stringify({ ...json, checksum: checksum(json) }, null, 2) + '\n';
}

function checksum(json: unknown): string {
  return toHex(sha256(new TextEncoder().encode(JSON.stringify(json))));
}

function checkVersion(fields: Fields): void {
  const version = fields.number('formatVersion');
  if (version !== LOG_FORMAT_VERSION) {
    throw new LockstepError(
      'BAD_LOG',
      `${fields.path}: log format version ${version}; this program reads ${LOG_FORMAT_VERSION}`,
      { file: fields.path, version },
    );
  }
}

function metaFromJson(fields: Fields): LogMeta {
  const config = fields.object('config');
  const start = fields.object('start');
  const machineDigest = fields.hex('machineDigest', HASH_BYTES);
  return {
    machineDigest: toHex(machineDigest),
    config: {
      memoryBytes: config.number('memoryBytes'),
      harts: config.number('harts'),
      schedule: scheduleOf(config),
      append: config.text('append'),
      initialRate: config.bigint('initialRate'),
      rtcStartSeconds: config.bigint('rtcStartSeconds'),
      rngSeed: config.hex('rngSeed'),
      network: networkOf(config),
      disks: config.has('disks') ? config.objects('disks').map(diskFromJson) : [],
    },
    images: fields.objects('images').map((image) => ({
      role: image.role('role'),
      path: image.text('path'),
      sha256: toHex(image.hex('sha256', HASH_BYTES)),
    })),
    start: {
      firstSeq: start.bigint('firstSeq'),
      previousHash: start.hex('previousHash', HASH_BYTES),
    },
  };
}

function scheduleOf(config: Fields): MachineConfig['schedule'] {
  const schedule = config.text('schedule');
  if (schedule === 'turns' || schedule === 'parallel') return schedule;
  throw new LockstepError('BAD_LOG', `${config.path}: harts run neither by turns nor in parallel`, {
    file: config.path,
  });
}

function networkOf(config: Fields): NetworkCard | null {
  return config.isNull('network') ? null : { mac: config.object('network').text('mac') };
}

function diskFromJson(fields: Fields): DiskConfig {
  const sha256 = toHex(fields.hex('sha256', HASH_BYTES));
  return { sizeBytes: fields.number('sizeBytes'), sha256 };
}

/** Checked access to parsed JSON; a field of another type is BAD_LOG with the field's name. */
class Fields {
  readonly path: string;
  private readonly values: ReadonlyMap<string, unknown>;

  constructor(path: string, name: string, value: unknown) {
    this.path = path;
    if (typeof value !== 'object' || value === null) this.refuse(name, 'an object');
    this.values = new Map(Object.entries(value));
  }

  private refuse(name: string, wanted: string): never {
    throw new LockstepError('BAD_LOG', `${this.path}: ${name} is not ${wanted}`, {
      file: this.path,
    });
  }

  /** The object but for one field, the others in their order. */
  without(name: string): unknown {
    return Object.fromEntries([...this.values].filter(([key]) => key !== name));
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  object(name: string): Fields {
    return new Fields(this.path, name, this.values.get(name));
  }

  objects(name: string): Fields[] {
    const value: unknown = this.values.get(name);
    if (!Array.isArray(value)) this.refuse(name, 'a list');
    return value.map((item: unknown) => new Fields(this.path, name, item));
  }

  isNull(name: string): boolean {
    return this.values.get(name) === null;
  }

  text(name: string): string {
    const value = this.values.get(name);
    return typeof value === 'string' ? value : this.refuse(name, 'a text');
  }

  number(name: string): number {
    const value = this.values.get(name);
    return typeof value === 'number' ? value : this.refuse(name, 'a number');
  }

  bigint(name: string): bigint {
    const text = this.text(name);
    return /^[0-9]{1,20}$/.test(text) ? BigInt(text) : this.refuse(name, 'a decimal number');
  }

  hex(name: string, bytes?: number): Uint8Array {
    const text = this.text(name);
    return fromHex(text, bytes ?? text.length / 2) ?? this.refuse(name, 'hexadecimal');
  }

  role(name: string): ImageFile['role'] {
    const text = this.text(name);
    const roles: readonly ImageFile['role'][] = ['bios', 'kernel', 'initrd', 'disk'];
    return roles.find((role) => role === text) ?? this.refuse(name, `one of ${roles.join(', ')}`);
  }
}
