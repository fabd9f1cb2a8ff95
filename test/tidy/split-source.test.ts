/**
 * Goal: tidy judges the right text.
 * Method: small sources with comments, strings, templates and regular expressions in bad places.
 */

import test from 'ava';
import { splitSource } from './split-source.js';

test('a comment mark in a string is no comment', (t) => {
  const { code, comments, strings } = splitSource(`const a = '// no'; // yes\n`);
  t.is(comments.trim(), '// yes');
  t.deepEqual(strings, ['// no']);
  t.false(code.includes('no'));
});

test('a quote in a comment opens no string', (t) => {
  const { code } = splitSource(`/* don't */ const name = 1;`);
  t.true(code.includes('const name = 1;'));
});

test('the expression inside a template stays code', (t) => {
  const { code, strings } = splitSource('const a = `x ${inner({ b: `y ${deep}` })} z`;');
  t.true(code.includes('inner'));
  t.true(code.includes('deep'));
  t.deepEqual(strings, ['x ', 'y ', '', ' z']);
});

test('a regular expression is told from a division', (t) => {
  t.deepEqual(splitSource(`const a = /[/"']/.test(b) ? c / d : e / f;`).strings, [`[/"']`]);
});

test('line breaks stay in place', (t) => {
  const text = '/*\n\n*/ const a = `\n`;\n// end\n';
  const { code, comments } = splitSource(text);
  t.is(code.split('\n').length, text.split('\n').length);
  t.is(comments.split('\n').length, text.split('\n').length);
});
