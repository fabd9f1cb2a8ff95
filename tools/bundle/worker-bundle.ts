/**
 * The hart's worker in one file: a thread that loads some 170 modules one by one takes a tenth of a
 * second for it, and every command that runs a machine waits for that.
 *
 * The bundle lies beside the module that it was made of and is nothing more than it. Where it is
 * missing, the modules are loaded.
 */

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { BUNDLED_WORKER, HART_WORKER } from '../../lib/host/prepared-worker.js';

/** The text of the bundle, made of what the compiler has written. */
export async function bundleWorker(): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(HART_WORKER)],
    outfile: fileURLToPath(BUNDLED_WORKER),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'error',
    write: false,
  });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error('esbuild wrote nothing');
  return bundle.contents;
}
