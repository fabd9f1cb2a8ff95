/**
 * Goal: what the cores say in the scenarios of this folder is what people agreed to.
 * Method: replay the commands of each transcript and compare the whole text. After an intended
 * change, LOCKSTEP_UPDATE=1 writes the new text; the diff is then read by people.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { replayTranscript } from './transcript.js';

/** Tests run from dist/test/transcript; the texts stay in the source tree. */
const FOLDER = new URL('../../../test/transcript/', import.meta.url);
const mayUpdate = process.env['LOCKSTEP_UPDATE'] === '1';

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.txt'))) {
  test(`transcript ${file} is what the cores say`, (t) => {
    const path = new URL(file, FOLDER);
    const text = readFileSync(path, 'utf8');
    const now = replayTranscript(text);
    if (mayUpdate) writeFileSync(path, now);
    else t.is(now, text);
    t.regex(now, /^core (?:primary|backup)/m);
  });
}
