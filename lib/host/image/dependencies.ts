/**
 * The packages that given packages need to work, all the way down: what Pre-Depends and Depends
 * name in a package index.
 *
 * A suite holds one version of each package, so versions need not be compared. Of alternatives
 * the first that exists is taken; a name that only other packages provide is refused, because
 * choosing among providers is a matter of taste.
 */

import { LockstepError } from '../../base/error.js';
import { findPackage, hasPackage, type PackageRecord } from './release.js';

/** More than this is not a small guest any more. */
const MAX_PACKAGES = 200;

/** `names` and what they need, each once, in order of name. Errors: USAGE, BAD_IMAGE. */
export function resolvePackages(index: string, names: readonly string[]): PackageRecord[] {
  const found = new Map<string, PackageRecord>();
  const waiting = names.map((name) => {
    if (!hasPackage(index, name)) {
      throw new LockstepError('USAGE', `the mirror's index has no package "${name}"`);
    }
    return name;
  });
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    if (found.size === MAX_PACKAGES) {
      throw new LockstepError('USAGE', `${names.join(', ')} need over ${MAX_PACKAGES} packages`);
    }
    const record = findPackage(index, name);
    found.set(name, record);
    waiting.push(...dependenciesOf(index, record));
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function dependenciesOf(index: string, { name, depends }: PackageRecord): string[] {
  return depends
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => {
      const alternatives = text.split('|').map((one) => /^[^\s(:[]+/.exec(one.trim())?.[0] ?? '');
      const chosen = alternatives.find((one) => hasPackage(index, one));
      if (chosen !== undefined) return chosen;
      throw new LockstepError('BAD_IMAGE', `${name} needs "${text}", which no package is named`);
    });
}
