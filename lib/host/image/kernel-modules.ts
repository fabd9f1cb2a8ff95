/**
 * Picks the kernel modules a guest needs, with everything they depend on, and writes the two
 * index files by which `modprobe` in the guest finds them (modules.dep(5), modules.alias).
 *
 * Dependencies and aliases stand in the modules themselves, in the section `.modinfo`: strings
 * `key=value`, each ended by a zero byte. Debian's package carries no index, since the installed
 * system runs depmod; so this is the part of depmod that an initramfs needs.
 */

import { spawn } from 'node:child_process';
import { LockstepError } from '../../base/error.js';
import { requireProgram } from './program.js';

/** A module as it is in the package: its path below lib/modules/VERSION and its bytes, packed. */
export interface KernelModule {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly depends: readonly string[];
  readonly aliases: readonly string[];
}

export interface ModuleSet {
  /** In load order: a module stands behind what it depends on. */
  readonly modules: readonly KernelModule[];
  readonly dependencyIndex: string;
  readonly aliasIndex: string;
}

/** The kernel treats `-` and `_` in module names alike. */
export function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return file.replace(/\.ko(\..*)?$/, '').replaceAll('-', '_');
}

/**
 * `available` maps paths to packed bytes; `builtin` is the text of modules.builtin. A wanted
 * module that is built in needs nothing; one that is nowhere is BAD_IMAGE.
 */
export async function selectModules(
  available: ReadonlyMap<string, Uint8Array>,
  builtin: string,
  wanted: readonly string[],
): Promise<ModuleSet> {
  const paths = new Map([...available.keys()].map((path) => [moduleName(path), path]));
  const builtins = new Set(builtin.split('\n').map(moduleName));
  const chosen = new Map<string, KernelModule>();
  const visiting = new Set<string>();
  const visit = async (name: string): Promise<void> => {
    if (chosen.has(name) || builtins.has(name) || visiting.has(name)) return;
    visiting.add(name);
    const path = paths.get(name);
    const bytes = path === undefined ? undefined : available.get(path);
    if (path === undefined || bytes === undefined) {
      throw new LockstepError('BAD_IMAGE', `the kernel package has no module ${name}`);
    }
    const info = modinfo(await unpack(path, bytes));
    const depends = moduleDependencies(info, name, paths);
    for (const dependency of depends) await visit(dependency);
    const aliases = info.filter(([key]) => key === 'alias').map(([, value]) => value);
    chosen.set(name, { path, bytes, depends, aliases });
  };
  for (const name of wanted) await visit(name);
  return { modules: [...chosen.values()], ...writeIndexes(chosen) };
}

/**
 * Hard dependencies and the modules that must be there before this one (`softdep=pre:`), which
 * name aliases: `crypto-crc32c` is served by crc32c_generic, where the kernel has it as a module.
 */
function moduleDependencies(
  info: readonly Field[],
  name: string,
  paths: ReadonlyMap<string, string>,
): string[] {
  const names: string[] = [];
  for (const [key, value] of info) {
    if (key === 'depends') names.push(...value.split(',').filter((word) => word !== ''));
    if (key !== 'softdep') continue;
    const before = /\bpre:\s*(.*?)\s*(post:|$)/.exec(value)?.[1] ?? '';
    for (const word of before.split(/\s+/)) {
      const generic = word.replace(/^crypto-(.*)$/, '$1_generic').replaceAll('-', '_');
      if (generic !== name && paths.has(generic)) names.push(generic);
    }
  }
  return names.map((word) => word.replaceAll('-', '_'));
}

function writeIndexes(chosen: ReadonlyMap<string, KernelModule>): {
  dependencyIndex: string;
  aliasIndex: string;
} {
  let dependencyIndex = '';
  let aliasIndex = '';
  for (const [name, { path, aliases }] of chosen) {
    const paths = closure(name, chosen).map((dependency) => ` ${chosen.get(dependency)?.path}`);
    dependencyIndex += `${path}:${paths.join('')}\n`;
    for (const alias of aliases) aliasIndex += `alias ${alias} ${name}\n`;
  }
  return { dependencyIndex, aliasIndex };
}

/** Everything `name` needs, nearest first: the order modules.dep has. */
function closure(name: string, chosen: ReadonlyMap<string, KernelModule>): string[] {
  const found: string[] = [];
  const queue = [...(chosen.get(name)?.depends ?? [])];
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (found.includes(next) || !chosen.has(next)) continue;
    found.push(next);
    queue.push(...(chosen.get(next)?.depends ?? []));
  }
  return found;
}

type Field = readonly [key: string, value: string];

async function unpack(path: string, bytes: Uint8Array): Promise<Uint8Array> {
  if (path.endsWith('.ko')) return bytes;
  if (!path.endsWith('.xz')) {
    throw new LockstepError('BAD_IMAGE', `${path} is packed in a way that is not known`);
  }
  const xz = await requireProgram('xz', 'read kernel modules');
  const child = spawn(xz, ['-dc'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  // A module that xz refuses closes the pipe; its status tells.
  child.stdin.on('error', () => child.stdin.destroy());
  child.stdin.end(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  if ((await exited) !== 0) throw new LockstepError('BAD_IMAGE', `${path} can't be unpacked`);
  return Buffer.concat(chunks);
}

/** The fields of `.modinfo`, in order; none where the file has no such section. */
export function modinfo(elf: Uint8Array): Field[] {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  try {
    const headers = Number(view.getBigUint64(40, true));
    const size = view.getUint16(58, true);
    const count = view.getUint16(60, true);
    const names = sectionAt(view, headers + size * view.getUint16(62, true));
    for (let index = 0; index < count; index++) {
      const at = headers + size * index;
      const section = sectionAt(view, at);
      const name = names.offset + view.getUint32(at, true);
      if (textAt(elf, name) !== '.modinfo') continue;
      const content = elf.subarray(section.offset, section.offset + section.size);
      return Buffer.from(content).toString('utf8').split('\0').flatMap(parseField);
    }
  } catch (error) {
    // DataView's complaint about a read past the end: the file is no ELF, or is cut short.
    if (!(error instanceof RangeError)) throw error;
    throw new LockstepError('BAD_IMAGE', 'a kernel module is not a readable ELF file');
  }
  return [];
}

function sectionAt(view: DataView, at: number): { offset: number; size: number } {
  return {
    offset: Number(view.getBigUint64(at + 24, true)),
    size: Number(view.getBigUint64(at + 32, true)),
  };
}

function textAt(bytes: Uint8Array, at: number): string {
  const end = bytes.indexOf(0, at);
  return Buffer.from(bytes.subarray(at, end)).toString('latin1');
}

function parseField(text: string): Field[] {
  const equals = text.indexOf('=');
  return equals < 0 ? [] : [[text.slice(0, equals), text.slice(equals + 1)]];
}
