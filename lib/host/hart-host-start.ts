/** The first word of a hart's worker, or its end before it has said one. */

import type { Worker } from 'node:worker_threads';
import type { Report } from './hart-messages.js';

export function firstReport(worker: Worker): Promise<Report> {
  return new Promise((resolve, reject) => {
    const exited = (code: number): void => reject(new Error(`hart worker exited with ${code}`));
    worker.once('exit', exited);
    worker.once('error', reject);
    worker.once('message', (report: Report) => {
      worker.off('exit', exited);
      worker.off('error', reject);
      resolve(report);
    });
  });
}
