/**
 * Finds the Debian mirror that this machine is configured to use.
 *
 * Reads apt's own files, both formats, and takes the first archive that serves Debian's `main`.
 * An entry counts as Debian's archive if its suite is one of Debian's; other vendors' repositories
 * name their suites otherwise. Security archives hold no kernel metapackage of their own layout,
 * so they are passed over. No mirror is built in: without a configured one the user names it.
 */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LockstepError } from '../../base/error.js';
import { parseControlFile } from './control-file.js';

const DEBIAN_SUITES =
  /^(stable|testing|unstable|oldstable|sid|buster|bullseye|bookworm|trixie|forky|duke)(-updates|-backports)?$/;

export interface AptSource {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
}

/** `deb [options] URI SUITE COMPONENT...`, one a line. */
export function parseSourcesList(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const line of text.split('\n')) {
    const words = line
      .replace(/#.*/, '')
      .replace(/\[[^\]]*\]/, ' ')
      .trim()
      .split(/\s+/);
    const [type, uri, suite, ...components] = words;
    if (type !== 'deb' || uri === undefined || suite === undefined) continue;
    sources.push({ uri, suites: [suite], components });
  }
  return sources;
}

/** The `.sources` format: paragraphs with Types, URIs, Suites and Components. */
export function parseDeb822Sources(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const paragraph of parseControlFile(text)) {
    if (!paragraph.words('Types').includes('deb')) continue;
    if (paragraph.get('Enabled')?.toLowerCase() === 'no') continue;
    for (const uri of paragraph.words('URIs')) {
      sources.push({
        uri,
        suites: paragraph.words('Suites'),
        components: paragraph.words('Components'),
      });
    }
  }
  return sources;
}

/** The first usable Debian archive among `sources`, without a trailing slash. */
export function chooseMirror(sources: readonly AptSource[]): string | undefined {
  const found = sources.find(
    ({ uri, suites, components }) =>
      /^(https?|file):/.test(uri) &&
      components.includes('main') &&
      suites.some((suite) => DEBIAN_SUITES.test(suite)),
  );
  return found?.uri.replace(/\/+$/, '');
}

/** The configured mirror; USAGE where there is none. `aptFolder` is /etc/apt but in tests. */
export async function configuredMirror(aptFolder = '/etc/apt'): Promise<string> {
  const sources: AptSource[] = [];
  const main = await readIfPresent(join(aptFolder, 'sources.list'));
  sources.push(...parseSourcesList(main));
  const parts = join(aptFolder, 'sources.list.d');
  for (const name of (await listIfPresent(parts)).sort()) {
    if (name.endsWith('.list')) {
      sources.push(...parseSourcesList(await readIfPresent(join(parts, name))));
    } else if (name.endsWith('.sources')) {
      sources.push(...parseDeb822Sources(await readIfPresent(join(parts, name))));
    }
  }
  const mirror = chooseMirror(sources);
  if (mirror !== undefined) return mirror;
  throw new LockstepError(
    'USAGE',
    `no Debian archive in ${aptFolder}; name a Debian mirror with --mirror URL`,
  );
}

async function readIfPresent(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

async function listIfPresent(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
