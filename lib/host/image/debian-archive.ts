/**
 * A Debian mirror with a cache in front of it: gives verified packages by name.
 *
 * The cached index is used as long as every package it names for us is cached too, so that
 * building again needs no network; otherwise, or when asked to, it is fetched anew. Whatever comes
 * from the cache is checked exactly as if it had just been downloaded.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { LockstepError } from '../../base/error.js';
import { resolvePackages } from './dependencies.js';
import { downloadBytes, downloadFile, isFile, isNotThere } from './download.js';
import {
  findPackage,
  kernelPackageName,
  openSigned,
  parseRelease,
  type PackageRecord,
  type Release,
} from './release.js';

const CODENAME = 'trixie';
const INDEX = 'main/binary-riscv64/Packages.gz';
/** InRelease has 0.2 MB; more than this is not one. */
const MAX_IN_RELEASE_BYTES = 8 * 2 ** 20;
/** The unpacked index has 55 MB. */
const MAX_INDEX_BYTES = 512 * 2 ** 20;

/** What a long job tells the person who waits for it. */
export interface Reporter {
  /** A new stage begins, such as "kernel package". */
  stage(text: string): void;
  /** How far the present stage is. */
  progress(doneBytes: number, totalBytes: number): void;
  /** Something worth knowing that is no failure. */
  note(text: string): void;
}

export interface ArchiveOptions {
  readonly mirror: string;
  readonly cacheFolder: string;
  readonly keyring: string;
  /** Packages wanted in the guest; what they depend on comes along. */
  readonly extra: readonly string[];
  /** Fetch the index even where the cached one would do. */
  readonly refresh: boolean;
}

/** The packages an image is made of, with where their files lie. */
export interface FetchedPackages {
  readonly kernel: FetchedPackage;
  readonly firmware: FetchedPackage;
  readonly busybox: FetchedPackage;
  /** Those asked for, and what they depend on. */
  readonly extra: readonly FetchedPackage[];
  /** Point release of the index, such as 13.1. */
  readonly release: string;
  /** Null where the index's signature was checked, otherwise why not. */
  readonly unchecked: string | null;
}

export interface FetchedPackage extends PackageRecord {
  readonly file: string;
}

interface Plan {
  readonly release: Release;
  readonly unchecked: string | null;
  readonly kernel: PackageRecord;
  readonly firmware: PackageRecord;
  readonly busybox: PackageRecord;
  readonly extra: readonly PackageRecord[];
}

/** Fetches kernel, firmware and busybox, or finds them in the cache. */
export async function fetchPackages(
  options: ArchiveOptions,
  reporter: Reporter,
): Promise<FetchedPackages> {
  const archive = new DebianArchive(options, reporter);
  const cached = options.refresh ? null : await archive.cachedPlan();
  const plan = cached ?? (await archive.freshPlan());
  if (plan.unchecked !== null) {
    reporter.note(`the index's signature is not checked: ${plan.unchecked}`);
  }
  const extra: FetchedPackage[] = [];
  for (const record of plan.extra) extra.push(await archive.fetch(record));
  return {
    kernel: await archive.fetch(plan.kernel),
    firmware: await archive.fetch(plan.firmware),
    busybox: await archive.fetch(plan.busybox),
    extra,
    release: plan.release.version,
    unchecked: plan.unchecked,
  };
}

class DebianArchive {
  private readonly options: ArchiveOptions;
  private readonly reporter: Reporter;

  constructor(options: ArchiveOptions, reporter: Reporter) {
    this.options = options;
    this.reporter = reporter;
  }

  /** A plan from the cache that needs nothing from the network, or null. */
  async cachedPlan(): Promise<Plan | null> {
    const inRelease = await readFile(this.cachePath('InRelease')).catch(() => null);
    if (inRelease === null) return null;
    const { text, unchecked } = await openSigned(inRelease, this.options.keyring);
    const release = parseRelease(text, CODENAME);
    const expected = release.files.get(INDEX);
    if (expected === undefined || !(await isFile(this.cachePath('Packages.gz'), expected))) {
      return null;
    }
    const plan = await this.plan(release, unchecked);
    for (const record of [plan.kernel, plan.firmware, plan.busybox, ...plan.extra]) {
      if (!(await isFile(this.packagePath(record), record.expected))) return null;
    }
    return plan;
  }

  async freshPlan(): Promise<Plan> {
    this.reporter.stage('package index');
    const inRelease = await downloadBytes(this.url('dists', 'InRelease'), MAX_IN_RELEASE_BYTES);
    const { text, unchecked } = await openSigned(inRelease, this.options.keyring);
    const release = parseRelease(text, CODENAME);
    await mkdir(this.options.cacheFolder, { recursive: true });
    await this.fetchIndex(release);
    // Only now: a cached InRelease always has had its index.
    await writeFile(this.cachePath('InRelease'), inRelease);
    return this.plan(release, unchecked);
  }

  async fetch(record: PackageRecord): Promise<FetchedPackage> {
    const file = this.packagePath(record);
    if (!(await isFile(file, record.expected))) {
      this.reporter.stage(`${record.name} ${record.version}`);
      const url = this.url('', record.path);
      await downloadFile(url, file, record.expected, this.progress);
    }
    return { ...record, file };
  }

  private readonly progress = (doneBytes: number, totalBytes: number): void => {
    this.reporter.progress(doneBytes, totalBytes);
  };

  private async fetchIndex(release: Release): Promise<void> {
    const expected = release.files.get(INDEX);
    if (expected === undefined) {
      throw new LockstepError('BAD_IMAGE', `${this.options.mirror} has no riscv64 packages`);
    }
    const path = this.cachePath('Packages.gz');
    const named = this.url('dists', INDEX);
    const hashed = this.url('dists', `main/binary-riscv64/by-hash/SHA256/${expected.sha256}`);
    try {
      await downloadFile(release.byHash ? hashed : named, path, expected, this.progress);
    } catch (error) {
      // Partial mirrors may keep the index under its name only.
      if (!release.byHash || !isNotThere(error)) throw error;
      await downloadFile(named, path, expected, this.progress);
    }
  }

  private async plan(release: Release, unchecked: string | null): Promise<Plan> {
    const packed = await readFile(this.cachePath('Packages.gz'));
    const unpack = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);
    const index = (await unpack(packed, { maxOutputLength: MAX_INDEX_BYTES })).toString('latin1');
    const metapackage = findPackage(index, 'linux-image-riscv64');
    return {
      release,
      unchecked,
      kernel: findPackage(index, kernelPackageName(metapackage)),
      firmware: findPackage(index, 'opensbi'),
      busybox: findPackage(index, 'busybox-static'),
      extra: resolvePackages(index, this.options.extra),
    };
  }

  private url(area: 'dists' | '', path: string): URL {
    const folder = area === 'dists' ? `dists/${CODENAME}/` : '';
    // Package names hold `+`, which servers want as it is; the rest needs no escaping.
    return new URL(`${this.options.mirror}/${folder}${path}`);
  }

  private cachePath(name: string): string {
    return join(this.options.cacheFolder, name);
  }

  private packagePath(record: PackageRecord): string {
    return join(this.options.cacheFolder, 'packages', basename(record.path));
  }
}
