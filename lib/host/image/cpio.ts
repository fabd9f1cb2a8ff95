/**
 * Writes a cpio archive in the "newc" format, the one the Linux kernel unpacks as its initial
 * RAM file system (Documentation/driver-api/early-userspace/buffer-format.rst in the kernel tree).
 *
 * Equal entries give equal bytes: no times, no owners, inode numbers by position. The archive is
 * left uncompressed, because the output of a compressor differs between zlib builds and the
 * guest would pay for unpacking it at each boot.
 */

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const HEADER_BYTES = 110;
const ALIGNMENT = 4;
/** The kernel pads archives to sectors of this size. */
const ARCHIVE_ALIGNMENT = 512;

const TYPE_DIRECTORY = 0o040000;
const TYPE_FILE = 0o100000;
const TYPE_SYMLINK = 0o120000;
const TYPE_CHARACTER_DEVICE = 0o020000;

/** `path` has no leading slash; parents stand before their children. */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly mode: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly path: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

interface Record {
  readonly path: string;
  readonly mode: number;
  readonly links: number;
  readonly major: number;
  readonly minor: number;
  readonly bytes: Uint8Array;
}

const NONE = new Uint8Array(0);

function describe(entry: CpioEntry): Record {
  const plain = { path: entry.path, links: 1, major: 0, minor: 0, bytes: NONE };
  switch (entry.kind) {
    case 'directory':
      return { ...plain, mode: TYPE_DIRECTORY | (entry.mode ?? 0o755), links: 2 };
    case 'file':
      return { ...plain, mode: TYPE_FILE | entry.mode, bytes: entry.bytes };
    case 'symlink':
      return { ...plain, mode: TYPE_SYMLINK | 0o777, bytes: Buffer.from(entry.target) };
    case 'character-device':
      return {
        ...plain,
        mode: TYPE_CHARACTER_DEVICE | entry.mode,
        major: entry.major,
        minor: entry.minor,
      };
  }
}

export function writeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const append = (bytes: Uint8Array, alignment: number): void => {
    const padding = -(length + bytes.length) & (alignment - 1);
    parts.push(bytes, new Uint8Array(padding));
    length += bytes.length + padding;
  };
  entries.forEach((entry, index) => {
    const record = describe(entry);
    append(header(record, index + 1), ALIGNMENT);
    append(record.bytes, ALIGNMENT);
  });
  const end = { path: TRAILER, mode: 0, links: 1, major: 0, minor: 0, bytes: NONE };
  append(header(end, 0), ARCHIVE_ALIGNMENT);
  return Buffer.concat(parts);
}

function header(record: Record, inode: number): Uint8Array {
  const name = Buffer.from(`${record.path}\0`);
  const fields = [
    inode,
    record.mode,
    0, // owner
    0, // group
    record.links,
    0, // time
    record.bytes.length,
    0, // device of the file system
    0,
    record.major,
    record.minor,
    name.length,
    0, // checksum, unused in this format
  ];
  const text = MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('');
  return Buffer.concat([Buffer.from(text), name], HEADER_BYTES + name.length);
}
