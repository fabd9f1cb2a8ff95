/**
 * Goal: what apt writes in control paragraphs is read as apt reads it.
 * Method: small texts with each feature of the format.
 */

import test from 'ava';
import { parseControlFile } from '../../../../lib/host/image/control-file.js';

test('paragraphs are divided by empty lines, fields found without case', (t) => {
  const paragraphs = parseControlFile('Package: a\nVersion: 1\n\n\nPackage: b\n');
  t.deepEqual(
    paragraphs.map((paragraph) => paragraph.get('PACKAGE')),
    ['a', 'b'],
  );
  t.is(paragraphs[1]?.get('Version'), undefined);
});

test('continuation lines belong to the field above, comments to nothing', (t) => {
  const [paragraph] = parseControlFile('SHA256:\n a 1 x\n# no\n b 2 y\nNext: z\n');
  t.is(paragraph?.get('SHA256'), '\na 1 x\nb 2 y');
  t.deepEqual(paragraph?.words('Next'), ['z']);
  t.deepEqual(paragraph?.words('Missing'), []);
});

test('lines that are no fields are passed over', (t) => {
  t.deepEqual(parseControlFile(' orphan\nnothing\n'), []);
});
