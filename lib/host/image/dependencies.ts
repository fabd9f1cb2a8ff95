/**
 * The packages that given packages need to work, all the way down: what Pre-Depends and Depends
 * name in a package index.
 *
 * A suite holds one version of each package, so versions need not be compared. Of alternatives
 * the first that exists is taken; a name that only other packages provide is refused, because
 * choosing among providers is a matter of taste. The packages' scripts are never run in the guest,
 * so what only scripts need is left out unless somebody asks for it.
 */

import { LockstepError } from '../../base/error.js';
import { findPackage, hasPackage, type PackageRecord } from './release.js';

/** Used by the scripts of packages alone; with what they need they would be half of a guest. */
const FOR_SCRIPTS: ReadonlySet<string> = new Set(['adduser', 'debconf', 'init-system-helpers']);

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
    .filter((text) => text !== '' && !FOR_SCRIPTS.has(nameIn(text)))
    .map((text) => {
      const alternatives = text.split('|').map(nameIn);
      const chosen = alternatives.find((one) => hasPackage(index, one));
      if (chosen !== undefined) return chosen;
      throw new LockstepError('BAD_IMAGE', `${name} needs "${text}", which no package is named`);
    });
}

/** The name in "name (>= 1)" or "name:any", or the first of alternatives. */
function nameIn(text: string): string {
  return /^[^\s(:[|]+/.exec(text.trim())?.[0] ?? '';
}
