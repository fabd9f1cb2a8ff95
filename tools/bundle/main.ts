/** The last step of `npm run build`: the hart's worker in one file. */

import { writeFile } from 'node:fs/promises';
import { BUNDLED_WORKER } from '../../lib/host/prepared-worker.js';
import { bundleWorker } from './worker-bundle.js';

await writeFile(BUNDLED_WORKER, await bundleWorker());
