/**
 * Goal: images are looked for where the user keeps caches.
 * Method: the environment of this process.
 */

import test from 'ava';
import { defaultCacheFolder } from '../../../../lib/host/image/image-place.js';

test('the cache follows XDG_CACHE_HOME', (t) => {
  const before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = '/somewhere';
  t.is(defaultCacheFolder(), '/somewhere/lockstep');
  if (before === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = before;
});
