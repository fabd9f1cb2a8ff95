/**
 * `npm run docs`: writes the documents that are made from tables in the code.
 */

import { writeFile } from 'node:fs/promises';
import { renderMetricsDocument } from '../../lib/metrics/document.js';
import { commandLineDocument } from './command-line.js';

const DOCS = new URL('../../../docs/', import.meta.url);

await writeFile(new URL('CLI.md', DOCS), await commandLineDocument());
await writeFile(new URL('METRICS.md', DOCS), renderMetricsDocument());
