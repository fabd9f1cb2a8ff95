/**
 * A Debian mirror of a few kilobytes, served on loopback: real formats, tiny contents, and faults
 * on demand. Its index is not signed, so users of it pass a keyring that is not there.
 */

import { createHash } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

export const KERNEL_VERSION = '6.12.1+deb13-riscv64';
const FOLDER = 'dists/trixie/';
const INDEX = 'main/binary-riscv64/Packages.gz';

/** A link of a package: to a target by name, or to another path's content. */
export interface TreeLink {
  readonly link: 'symbolic' | 'hard';
  readonly target: string;
}

/** What a package puts at each path. */
export type Tree = Readonly<Record<string, Uint8Array | string | TreeLink>>;

/** What the index says that a package needs. */
export type Dependencies = Readonly<Record<string, string>>;

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function isLink(content: Tree[string]): content is TreeLink {
  return typeof content === 'object' && 'link' in content;
}

/** A tar in the ustar format; a path over 100 bytes gets a GNU long name. */
export function makeTar(tree: Tree): Buffer {
  const parts: Buffer[] = [];
  const append = (name: string, type: string, content: Uint8Array, target = ''): void => {
    const header = Buffer.alloc(512);
    header.write(name.slice(0, 99), 0);
    header.write('0000755', 100);
    header.write(target, 157);
    header.write(content.length.toString(8).padStart(11, '0'), 124);
    header.write(type, 156);
    header.write('ustar  ', 257);
    parts.push(header, Buffer.from(content), Buffer.alloc(-content.length & 511));
  };
  for (const [path, content] of Object.entries(tree)) {
    const name = `./${path}`;
    if (name.length > 99) append('././@LongLink', 'L', Buffer.from(`${name}\0`));
    if (isLink(content)) {
      const type = content.link === 'symbolic' ? '2' : '1';
      append(name, type, Buffer.alloc(0), content.target);
    } else {
      append(name, '0', Buffer.from(content));
    }
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A Debian package whose data member is `data.tar.gz`. */
export function makePackage(tree: Tree): Buffer {
  const member = (name: string, content: Uint8Array): Buffer[] => {
    const header = `${name.padEnd(48)}${String(content.length).padEnd(10)}\`\n`;
    return [Buffer.from(header), Buffer.from(content), Buffer.alloc(content.length % 2, 10)];
  };
  return Buffer.concat([
    Buffer.from('!<arch>\n'),
    ...member('debian-binary', Buffer.from('2.0\n')),
    ...member('control.tar.gz', gzipSync(makeTar({ control: 'Package: test\n' }))),
    ...member('data.tar.gz', gzipSync(makeTar(tree))),
  ]);
}

/** An ELF with nothing in it but the section `.modinfo`. */
export function makeModule(fields: readonly string[]): Buffer {
  const info = Buffer.from(fields.map((field) => `${field}\0`).join(''));
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const infoAt = 64;
  const namesAt = infoAt + info.length;
  const headersAt = namesAt + names.length;
  const elf = Buffer.alloc(headersAt + 3 * 64);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeBigUInt64LE(BigInt(headersAt), 40);
  elf.writeUInt16LE(64, 58);
  elf.writeUInt16LE(3, 60);
  elf.writeUInt16LE(2, 62);
  elf.set(info, infoAt);
  elf.set(names, namesAt);
  const section = (index: number, name: number, at: number, size: number): void => {
    const header = headersAt + 64 * index;
    elf.writeUInt32LE(name, header);
    elf.writeBigUInt64LE(BigInt(at), header + 24);
    elf.writeBigUInt64LE(BigInt(size), header + 32);
  };
  section(1, 1, infoAt, info.length);
  section(2, 10, namesAt, names.length);
  return elf;
}

/** The first bytes of a kernel image, and some more. */
export function makeKernel(): Buffer {
  const image = Buffer.alloc(256, 0x13);
  image.write('RISCV\0\0\0RSC\x05', 0x30, 'latin1');
  return image;
}

const MODULES = `usr/lib/modules/${KERNEL_VERSION}`;

export function kernelTree(): Record<string, Uint8Array | string> {
  const drivers = `${MODULES}/kernel/drivers`;
  return {
    [`boot/vmlinux-${KERNEL_VERSION}`]: makeKernel(),
    [`${MODULES}/modules.builtin`]: 'kernel/lib/crc32.ko\n',
    [`${drivers}/virtio/virtio_mmio.ko`]: makeModule(['depends=', 'alias=of:N*T*Cvirtio,mmio']),
    [`${drivers}/char/hw_random/virtio-rng.ko`]: makeModule(['alias=virtio:d00000004v*']),
    [`${drivers}/block/virtio_blk.ko`]: makeModule(['alias=virtio:d00000002v*']),
    [`${drivers}/net/virtio_net.ko`]: makeModule(['depends=net-failover,crc32']),
    [`${drivers}/net/net_failover.ko`]: makeModule(['depends=failover']),
    [`${MODULES}/kernel/net/core/failover.ko`]: makeModule([]),
    [`${MODULES}/kernel/fs/ext4/ext4.ko`]: makeModule(['softdep=pre: crypto-crc32c', 'depends=']),
    [`${MODULES}/kernel/crypto/crc32c_generic.ko`]: makeModule([]),
  };
}

export interface MirrorFaults {
  /** Serve this path with one bit flipped. */
  damaged?: string;
  /** Break the connection after so many bytes of a body, once. */
  breakOnceAfterBytes?: number;
}

/** The mirror as a server; `requests` lists the paths asked for, with ranges. */
export class DebianMirror {
  readonly files = new Map<string, Buffer>();
  readonly requests: string[] = [];
  readonly faults: MirrorFaults = {};
  private readonly server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    this.requests.push(from > 0 ? `${path} from ${from}` : path);
    this.answer(response, path, from);
  });

  static async start(
    trees: Readonly<Record<string, Tree>> = standardTrees(),
    dependencies: Dependencies = {},
  ): Promise<DebianMirror> {
    const mirror = new DebianMirror();
    mirror.publish(trees, dependencies);
    await new Promise<void>((resolve) => mirror.server.listen(0, '127.0.0.1', resolve));
    return mirror;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private publish(trees: Readonly<Record<string, Tree>>, dependencies: Dependencies): void {
    const kernelName = `linux-image-${KERNEL_VERSION}`;
    const paragraphs = [
      `Package: linux-image-riscv64\nVersion: 1\nDepends: ${kernelName} (= 1)\n` +
        `Filename: pool/none.deb\nSize: 1\nSHA256: 0\n`,
    ];
    for (const [name, tree] of Object.entries(trees)) {
      const bytes = makePackage(tree);
      const path = `pool/${name}_1.deb`;
      this.files.set(path, bytes);
      paragraphs.push(
        `Package: ${name}\nVersion: 1\nFilename: ${path}\n` +
          (dependencies[name] === undefined ? '' : `Depends: ${dependencies[name]}\n`) +
          `Size: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`,
      );
    }
    const index = gzipSync(Buffer.from(paragraphs.join('\n')));
    const hash = sha256(index);
    const release =
      'Version: 13.0\nCodename: trixie\nAcquire-By-Hash: yes\nSHA256:\n' +
      ` ${hash} ${index.length} ${INDEX}\n`;
    this.files.set(`${FOLDER}InRelease`, Buffer.from(release));
    this.files.set(`${FOLDER}main/binary-riscv64/by-hash/SHA256/${hash}`, index);
  }

  private answer(response: ServerResponse, path: string, from: number): void {
    const file = this.files.get(path);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const bytes = Buffer.from(file.subarray(from));
    if (path === this.faults.damaged) bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length });
    const limit = this.faults.breakOnceAfterBytes;
    if (limit === undefined || bytes.length <= limit) {
      response.end(bytes);
      return;
    }
    delete this.faults.breakOnceAfterBytes;
    response.write(bytes.subarray(0, limit), () => response.destroy());
  }
}

export function standardTrees(): Record<string, Tree> {
  return {
    [`linux-image-${KERNEL_VERSION}`]: kernelTree(),
    opensbi: { 'usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin': 'firmware' },
    'busybox-static': { 'usr/bin/busybox': 'busybox' },
  };
}
