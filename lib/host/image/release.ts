/**
 * The signed index of a Debian suite: InRelease names the hash of the package index, the package
 * index names the hash of every package, so one signature vouches for every byte (apt-secure(8)).
 *
 * With `gpgv` and Debian's keyring installed the signature is checked, and only the text that
 * gpgv says was signed is used. Without them that is said, and the hashes still protect against
 * damage, though not against a hostile mirror.
 */

import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { LockstepError } from '../../base/error.js';
import type { Expected } from './download.js';
import { parseControlFile, type ControlParagraph } from './control-file.js';
import { findProgram } from './program.js';

export const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export interface SignedText {
  readonly text: string;
  /** Null where the signature was checked and is good; otherwise why it was not checked. */
  readonly unchecked: string | null;
}

export interface Release {
  /** Version of the point release, such as 13.1. */
  readonly version: string;
  /** Index files may be fetched by their hash, which is safe against an update halfway. */
  readonly byHash: boolean;
  readonly files: ReadonlyMap<string, Expected>;
}

/** INSECURE where a signature is bad or no key of the keyring made one. */
export async function openSigned(inRelease: Uint8Array, keyring: string): Promise<SignedText> {
  const text = Buffer.from(inRelease).toString('utf8');
  const gpgv = await findProgram('gpgv');
  if (gpgv === null) return { text: clearText(text), unchecked: 'gpgv is not installed' };
  try {
    await access(keyring, constants.R_OK);
  } catch {
    return { text: clearText(text), unchecked: `${keyring} is not there` };
  }
  return { text: await checkedText(gpgv, keyring, inRelease), unchecked: null };
}

async function checkedText(gpgv: string, keyring: string, inRelease: Uint8Array): Promise<string> {
  const words = ['--status-fd', '2', '--keyring', keyring, '--output', '-', '-'];
  const child = spawn(gpgv, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  const output: Buffer[] = [];
  let status = '';
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => (status += bytes.toString('utf8')));
  // gpgv may stop reading early; what it says decides.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(inRelease);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve());
  });
  // Its exit status is not 0 when one of several keys is too new for the keyring, so the lines
  // decide: no bad signature, and at least one good one.
  const good = /^\[GNUPG:\] GOODSIG /m.test(status);
  const bad = /^\[GNUPG:\] BADSIG /m.test(status);
  if (good && !bad) return Buffer.concat(output).toString('utf8');
  const why = bad ? 'is bad' : `is by no key of ${keyring}`;
  throw new LockstepError(
    'INSECURE',
    `the signature of the mirror's index (InRelease) ${why}; nothing was taken from it`,
  );
}

/** The text of a clear-signed message, unchecked (RFC 9580, section 7). */
function clearText(message: string): string {
  const lines = message.replaceAll('\r\n', '\n').split('\n');
  if (lines[0] !== '-----BEGIN PGP SIGNED MESSAGE-----') return message;
  const start = lines.indexOf('') + 1;
  const end = lines.indexOf('-----BEGIN PGP SIGNATURE-----');
  return lines
    .slice(start, end < 0 ? undefined : end)
    .map((line) => line.replace(/^- /, ''))
    .join('\n');
}

/** BAD_IMAGE where it is not the Release file of `codename`. */
export function parseRelease(text: string, codename: string): Release {
  const [paragraph] = parseControlFile(text);
  if (paragraph?.get('Codename') !== codename) {
    const found = paragraph?.get('Codename') ?? 'no release at all';
    throw new LockstepError('BAD_IMAGE', `the mirror's index is of ${found}, not of ${codename}`);
  }
  const files = new Map<string, Expected>();
  for (const line of (paragraph.get('SHA256') ?? '').split('\n')) {
    const [sha256, size, name] = line.trim().split(/\s+/);
    if (sha256 === undefined || size === undefined || name === undefined) continue;
    files.set(name, { sha256, sizeBytes: Number(size) });
  }
  return {
    version: paragraph.get('Version') ?? codename,
    byHash: paragraph.get('Acquire-By-Hash') === 'yes',
    files,
  };
}

export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  /** Path below the mirror's root. */
  readonly path: string;
  readonly expected: Expected;
  /** What must be there for it to work (Pre-Depends and Depends), as Debian writes it. */
  readonly depends: string;
}

export function hasPackage(index: string, name: string): boolean {
  return findParagraph(index, name) !== undefined;
}

/** The package of that name in a Packages index; BAD_IMAGE where it is missing. */
export function findPackage(index: string, name: string): PackageRecord {
  const paragraph = findParagraph(index, name);
  const version = paragraph?.get('Version');
  const path = paragraph?.get('Filename');
  const sha256 = paragraph?.get('SHA256');
  const sizeBytes = Number(paragraph?.get('Size'));
  if (version === undefined || path === undefined || sha256 === undefined || !(sizeBytes > 0)) {
    throw new LockstepError('BAD_IMAGE', `the mirror's index has no package ${name}`);
  }
  const depends = [paragraph?.get('Pre-Depends'), paragraph?.get('Depends')]
    .filter((text) => text !== undefined)
    .join(', ');
  return { name, version, path, expected: { sha256, sizeBytes }, depends };
}

/** The index has 50 MB and more: the paragraph is cut out first, then parsed. */
function findParagraph(index: string, name: string): ControlParagraph | undefined {
  const heading = `Package: ${name}\n`;
  const start = index.startsWith(heading) ? 0 : index.indexOf(`\n${heading}`);
  if (start < 0) return undefined;
  const end = index.indexOf('\n\n', start + 1);
  return parseControlFile(index.slice(start, end < 0 ? undefined : end))[0];
}

/** The versioned kernel package that the metapackage depends on. */
export function kernelPackageName(metapackage: PackageRecord): string {
  for (const dependency of metapackage.depends.split(',')) {
    const name = dependency.trim().split(/[\s(|]/)[0] ?? '';
    if (/^linux-image-[0-9]/.test(name)) return name;
  }
  throw new LockstepError(
    'BAD_IMAGE',
    `${metapackage.name} ${metapackage.version} names no kernel package it depends on`,
  );
}
