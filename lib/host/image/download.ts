/**
 * Downloads over HTTP, HTTPS or from a `file:` mirror.
 *
 * A file appears under its name only when its length and SHA-256 are what the index says. Until
 * then it is `NAME.part`, which the next attempt continues where the server allows it. A plain
 * HTTP proxy in `http_proxy` (with `no_proxy`) is honoured for http: addresses.
 */

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { LockstepError } from '../../base/error.js';

/** A server that sends nothing for so long is given up. */
const SILENCE_LIMIT_MS = 30_000;
const MAX_REDIRECTS = 5;
/** Attempts at one file; each continues where the one before broke off. */
const ATTEMPTS = 4;

export interface Expected {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Called while bytes arrive. */
export type Progress = (doneBytes: number, totalBytes: number) => void;

interface Response {
  readonly status: number;
  readonly body: Readable;
}

/** The server says that there is no such file: asking again is useless. */
class NotThere extends LockstepError {
  constructor(url: URL, status: number) {
    super('IO', `${url.href}: the mirror answers ${status}`, { status });
  }
}

export function isNotThere(error: unknown): boolean {
  return error instanceof NotThere;
}

/** A small file, into memory. IO where it can't be had or exceeds `limitBytes`. */
export async function downloadBytes(url: URL, limitBytes: number): Promise<Uint8Array> {
  const { body } = await openUrl(url, 0);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limitBytes) break;
    }
  } catch (error) {
    throw failed(url, error);
  }
  if (length > limitBytes) {
    throw new LockstepError('IO', `${url.href} is over ${limitBytes} bytes, which it never is`);
  }
  return Buffer.concat(chunks);
}

/** True if `path` is there and is what the index says. */
export async function isFile(path: string, expected: Expected): Promise<boolean> {
  if ((await sizeOf(path)) !== expected.sizeBytes) return false;
  return (await sha256File(path)) === expected.sha256;
}

export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest('hex');
}

/** Downloads unless it is there already; BAD_IMAGE where the hash is wrong, IO otherwise. */
export async function downloadFile(
  url: URL,
  path: string,
  expected: Expected,
  progress: Progress,
): Promise<void> {
  if (await isFile(path, expected)) return;
  await mkdir(dirname(path), { recursive: true });
  const part = `${path}.part`;
  for (let attempt = 1; ; attempt++) {
    try {
      await continuePart(url, part, expected, progress);
      break;
    } catch (error) {
      if (attempt === ATTEMPTS || isNotThere(error) || isLocalFailure(error)) throw error;
    }
  }
  const sha256 = await sha256File(part);
  if (sha256 !== expected.sha256) {
    await rm(part, { force: true });
    throw new LockstepError(
      'BAD_IMAGE',
      `${url.href}: SHA-256 is ${sha256}, the index says ${expected.sha256}; ` +
        'the mirror may be in the middle of an update: try again later or with another --mirror',
    );
  }
  await rename(part, path);
}

async function continuePart(
  url: URL,
  part: string,
  expected: Expected,
  progress: Progress,
): Promise<void> {
  let have = await sizeOf(part);
  if (have > expected.sizeBytes) {
    await rm(part);
    have = 0;
  }
  if (have === expected.sizeBytes) return;
  const { status, body } = await openUrl(url, have);
  let done = status === 206 ? have : 0;
  progress(done, expected.sizeBytes);
  body.on('data', (chunk: Buffer) => {
    done += chunk.length;
    progress(done, expected.sizeBytes);
    // More than the index says can't be the file; don't let it fill the disk.
    if (done > expected.sizeBytes) body.destroy(new Error('it is longer than the index says'));
  });
  try {
    await pipeline(body, createWriteStream(part, { flags: status === 206 ? 'a' : 'w' }));
  } catch (error) {
    throw failed(url, error);
  }
  if (done !== expected.sizeBytes) {
    throw failed(url, new Error(`it ends after ${done} of ${expected.sizeBytes} bytes`));
  }
}

async function sizeOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => null);
  return found?.size ?? 0;
}

/** Failures of our own disk: another attempt would fail alike. */
const LOCAL_CODES: readonly string[] = ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EPERM'];

function isLocalFailure(error: unknown): boolean {
  return error instanceof LockstepError && LOCAL_CODES.includes(String(error.fields['code']));
}

function failed(url: URL, error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error && error.message !== '' ? error.message : code;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new LockstepError('IO', `no space left on the disk for ${url.href}`, { code });
  }
  const hint = code === 'ENOTFOUND' || code === 'EAI_AGAIN' ? '; is there a network?' : '';
  return new LockstepError('IO', `${url.href}: ${text}${hint}`, { code });
}

async function openUrl(start: URL, offset: number): Promise<Response> {
  let url = start;
  if (url.protocol === 'file:') return openFile(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(url, offset).catch((error: unknown) => {
      throw failed(url, error);
    });
    const status = response.statusCode ?? 0;
    if (status === 200 || status === 206) return { status, body: response };
    response.resume();
    const { location } = response.headers;
    if (status < 300 || status >= 400 || location === undefined) throw new NotThere(url, status);
    url = new URL(location, url);
  }
  throw new LockstepError('IO', `${start.href}: more than ${MAX_REDIRECTS} redirects`);
}

async function openFile(url: URL): Promise<Response> {
  const path = fileURLToPath(url);
  const bytes = await readFile(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    throw code === 'ENOENT' ? new NotThere(url, 404) : failed(url, error);
  });
  const { Readable } = await import('node:stream');
  return { status: 200, body: Readable.from([bytes]) };
}

function request(url: URL, offset: number): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      reject(new LockstepError('USAGE', `${url.href}: only http, https and file are known`));
      return;
    }
    const range = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const proxy = url.protocol === 'http:' ? proxyFor(url) : null;
    const sent =
      proxy === null
        ? (url.protocol === 'https:' ? https : http).get(url, { headers: range })
        : http.get(proxy, { path: url.href, headers: { ...range, host: url.host } });
    sent.setTimeout(SILENCE_LIMIT_MS, () => {
      sent.destroy(new Error(`no answer for ${SILENCE_LIMIT_MS / 1000} s`));
    });
    sent.once('error', reject);
    sent.once('response', resolve);
  });
}

function proxyFor(url: URL): URL | null {
  const proxy = process.env['http_proxy'] ?? process.env['HTTP_PROXY'] ?? '';
  if (proxy === '') return null;
  const exempt = (process.env['no_proxy'] ?? process.env['NO_PROXY'] ?? '').split(',');
  const isExempt = exempt.some((pattern) => {
    const name = pattern.trim().replace(/^\*?\./, '');
    return (
      name === '*' || (name !== '' && (url.hostname === name || url.hostname.endsWith(`.${name}`)))
    );
  });
  return isExempt ? null : new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}
