/** The compiler that a hart gets for the options of its engine. */

import { RegionCache } from '../jit/region-cache.js';
import { UNOBSERVED, type RegionObserver } from '../jit/region-observer.js';
import type { CompilerOptions } from '../riscv/region-port.js';
import type { EngineOptions } from './engine.js';

/** By then the guest has spent some milliseconds in the region: as much as compiling takes. */
const THOROUGH_AFTER = 4;

/** Null where everything is interpreted. */
export function compilerOf(
  engine: EngineOptions,
  observer: RegionObserver = UNOBSERVED,
): CompilerOptions | null {
  if (engine.engine === 'interpreter') return null;
  const { counting = true, thoroughAfter = THOROUGH_AFTER } = engine;
  const options = { counting, thoroughAfter };
  return {
    create: (internals) => new RegionCache(internals, options, observer),
    hotAfter: engine.hotAfter,
  };
}
