/**
 * `npm run docs`: writes the documents that are made from tables in the code.
 */

import { writeFile } from 'node:fs/promises';
import { commandLineDocument } from './command-line.js';

await writeFile(new URL('../../../docs/CLI.md', import.meta.url), await commandLineDocument());
