/**
 * Takes files out of a Debian package: an `ar` archive whose member `data.tar.*` holds the tree
 * (deb(5)). The tar is read as a stream, so that a kernel package of 130 MB needs memory only for
 * the files that are wanted. The decompressor is an outside program.
 *
 * Input is hostile until proven otherwise: sizes are checked against limits before allocation,
 * and what does not parse is BAD_IMAGE.
 */

import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { LockstepError } from '../../base/error.js';
import { requireProgram } from './program.js';

const AR_MAGIC = '!<arch>\n';
const AR_HEADER_BYTES = 60;
const TAR_BLOCK_BYTES = 512;
/** Far above a kernel image; a size over it is damage. */
const MAX_FILE_BYTES = 512 * 2 ** 20;

/** Program that unpacks to its standard output, by the ending of the member's name. */
const DECOMPRESSORS: Readonly<Record<string, string>> = {
  '.xz': 'xz',
  '.zst': 'zstd',
  '.gz': 'gzip',
};

interface Member {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What a package puts at a path. Directories may be left out where something lies in them. */
export type PackageEntry =
  | { readonly kind: 'file'; readonly mode: number; readonly bytes: Uint8Array }
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string };

/** Regular files for which `wanted` says yes, by path without the leading `./`. */
export async function extractPackage(
  path: string,
  wanted: (path: string) => boolean,
): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [name, entry] of await extractEntries(path, wanted)) {
    if (entry.kind === 'file') files.set(name, entry.bytes);
  }
  return files;
}

/** Files, folders and links for which `wanted` says yes; a hard link is a file like the other. */
export async function extractEntries(
  path: string,
  wanted: (path: string) => boolean,
): Promise<Map<string, PackageEntry>> {
  const member = await findDataMember(path);
  const ending = member.name.slice('data.tar'.length);
  const program = DECOMPRESSORS[ending];
  if (program === undefined) throw damaged(path, `compressed as "${ending}", which is unknown`);
  const decompressor = await requireProgram(program, `unpack ${path}`);
  const child = spawn(decompressor, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (text: Buffer) => (complaint += text.toString()));
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const input = createReadStream(path, {
    start: member.offset,
    end: member.offset + member.sizeBytes - 1,
  });
  // A decompressor that gave up closes its pipe; its status and its words say why.
  child.stdin.on('error', () => input.destroy());
  input.pipe(child.stdin);
  const reader = new TarReader(path, wanted);
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) reader.push(chunk);
  const status = await exited;
  if (status !== 0) throw damaged(path, `${program}: ${complaint.trim() || `status ${status}`}`);
  reader.end();
  return reader.entries;
}

function damaged(path: string, why: string): LockstepError {
  return new LockstepError('BAD_IMAGE', `${path} is not a package that can be unpacked: ${why}`);
}

async function findDataMember(path: string): Promise<Member> {
  const file = await open(path);
  try {
    const magic = await readText(file, 0, AR_MAGIC.length);
    if (magic !== AR_MAGIC) throw damaged(path, 'no ar archive');
    let offset = AR_MAGIC.length;
    for (;;) {
      const header = await readText(file, offset, AR_HEADER_BYTES);
      if (header.length < AR_HEADER_BYTES) throw damaged(path, 'no data.tar in it');
      const name = header.slice(0, 16).trim().replace(/\/$/, '');
      const sizeBytes = Number(header.slice(48, 58).trim());
      if (!Number.isSafeInteger(sizeBytes) || header.slice(58) !== '`\n') {
        throw damaged(path, `bad member header at ${offset}`);
      }
      const member = { name, offset: offset + AR_HEADER_BYTES, sizeBytes };
      if (name.startsWith('data.tar')) return member;
      offset = member.offset + sizeBytes + (sizeBytes % 2);
    }
  } finally {
    await file.close();
  }
}

async function readText(file: FileHandle, offset: number, count: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, offset);
  return buffer.toString('latin1', 0, bytesRead);
}

/** What the reader is inside of: a header block, or the content of an entry. */
interface Content {
  readonly kind: 'keep' | 'skip' | 'long-name' | 'long-target';
  readonly path: string;
  readonly mode: number;
  readonly chunks: Uint8Array[];
  /** Bytes of content still to come, and of padding behind it. */
  left: number;
  padding: number;
}

/** A push parser of the ustar format with GNU long names, which is what dpkg writes. */
class TarReader {
  readonly entries = new Map<string, PackageEntry>();
  private readonly archive: string;
  private readonly wanted: (path: string) => boolean;
  private content: Content | null = null;
  private partialHeader = Buffer.alloc(0);
  private longName: string | null = null;
  private longTarget: string | null = null;

  constructor(archive: string, wanted: (path: string) => boolean) {
    this.archive = archive;
    this.wanted = wanted;
  }

  push(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.content === null) {
        const missing = TAR_BLOCK_BYTES - this.partialHeader.length;
        this.partialHeader = Buffer.concat([this.partialHeader, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.partialHeader.length < TAR_BLOCK_BYTES) return;
        const header = this.partialHeader;
        this.partialHeader = Buffer.alloc(0);
        this.begin(header);
      } else {
        rest = this.consume(this.content, rest);
      }
    }
  }

  /** Called at the end of the stream: a package that stops inside an entry is damaged. */
  end(): void {
    if (this.content !== null || this.partialHeader.length > 0) {
      throw damaged(this.archive, 'it ends in the middle of a file');
    }
  }

  private begin(header: Buffer): void {
    if (header.every((byte) => byte === 0)) return;
    const sizeBytes = Number.parseInt(header.toString('latin1', 124, 136), 8);
    if (!(sizeBytes >= 0 && sizeBytes <= MAX_FILE_BYTES)) {
      throw damaged(this.archive, 'a file in it has an impossible size');
    }
    const type = header.toString('latin1', 156, 157);
    const padding = -sizeBytes & (TAR_BLOCK_BYTES - 1);
    const mode = Number.parseInt(header.toString('latin1', 100, 108), 8) & 0o7777;
    const content = { path: '', mode, chunks: [], left: sizeBytes, padding };
    if (type === 'L') this.content = { ...content, kind: 'long-name' };
    else if (type === 'K') this.content = { ...content, kind: 'long-target' };
    else this.content = { ...content, ...this.member(header, type, mode) };
    if (sizeBytes === 0) this.close(this.content);
  }

  /** The path of an entry, and whether its content is wanted; links are noted here. */
  private member(header: Buffer, type: string, mode: number): Pick<Content, 'kind' | 'path'> {
    const path = inPackage(this.longName ?? headerName(header));
    const target = this.longTarget ?? headerText(header, 157, 257);
    this.longName = null;
    this.longTarget = null;
    if (!this.wanted(path)) return { kind: 'skip', path };
    if (type === '5' && path !== '') this.entries.set(path, { kind: 'directory', mode });
    if (type === '2') this.entries.set(path, { kind: 'symlink', target });
    if (type === '1') {
      const other = this.entries.get(inPackage(target));
      if (other === undefined) throw damaged(this.archive, `${path} is a link to nothing`);
      this.entries.set(path, other);
    }
    return { kind: type === '0' || type === '\0' ? 'keep' : 'skip', path };
  }

  /** Takes what belongs to the entry and returns the rest. */
  private consume(content: Content, bytes: Buffer): Buffer {
    const taken = Math.min(content.left, bytes.length);
    if (taken > 0) {
      if (content.kind !== 'skip') content.chunks.push(Buffer.from(bytes.subarray(0, taken)));
      content.left -= taken;
    }
    const padded = Math.min(content.padding, bytes.length - taken);
    content.padding -= padded;
    if (content.left === 0 && content.padding === 0) this.close(content);
    return bytes.subarray(taken + padded);
  }

  private close(content: Content): void {
    const bytes = Buffer.concat(content.chunks);
    this.content = null;
    const { kind, path, mode } = content;
    if (kind === 'keep') this.entries.set(path, { kind: 'file', mode, bytes });
    if (kind === 'long-name') this.longName = untilZero(bytes);
    if (kind === 'long-target') this.longTarget = untilZero(bytes);
  }
}

function untilZero(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\0.*$/s, '');
}

function headerText(header: Buffer, start: number, end: number): string {
  return untilZero(header.subarray(start, end));
}

/** A path as the package means it: below the root. */
function inPackage(path: string): string {
  return path.replace(/^\.?\//, '').replace(/\/$/, '');
}

function headerName(header: Buffer): string {
  const prefix = headerText(header, 345, 500);
  const name = headerText(header, 0, 100);
  // GNU tar keeps other things where ustar has the prefix; its magic ends in a space.
  const hasPrefix = header.toString('latin1', 257, 263) === 'ustar\0' && prefix !== '';
  return hasPrefix ? `${prefix}/${name}` : name;
}
