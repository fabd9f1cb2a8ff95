/**
 * Goal: every key reaches the guest but the few that the terminal keeps, in whatever portions.
 */

import test from 'ava';
import { EscapeKeys } from '../../../tools/escape-keys.js';

function filtered(text: string, cut = text.length): { text: string; quit: boolean; help: boolean } {
  const keys = new EscapeKeys();
  let passed = '';
  let quit = false;
  let help = false;
  for (let at = 0; at < text.length && !quit; at += cut) {
    const result = keys.filter(Buffer.from(text.slice(at, at + cut), 'latin1'));
    passed += Buffer.from(result.bytes).toString('latin1');
    quit = result.quit;
    help ||= result.help;
  }
  return { text: passed, quit, help };
}

const CASES: Readonly<Record<string, readonly [typed: string, passed: string, quit: boolean]>> = {
  'plain text': ['ls -l\r', 'ls -l\r', false],
  'Ctrl-C and escape sequences': ['\x03\x1b[A', '\x03\x1b[A', false],
  'Ctrl-A x quits': ['abc\x01xdef', 'abc', true],
  'Ctrl-A X quits too': ['\x01X', '', true],
  'Ctrl-A twice sends one': ['a\x01\x01b', 'a\x01b', false],
  'Ctrl-A and another key is nothing': ['a\x01zb', 'ab', false],
  'bytes that are no text': ['\xff\x80', '\xff\x80', false],
};

for (const [name, [typed, passed, quit]] of Object.entries(CASES)) {
  test(`${name}`, (t) => {
    for (const cut of [typed.length, 1, 2]) {
      t.like(filtered(typed, cut), { text: passed, quit }, `in portions of ${cut}`);
    }
  });
}

test('help is asked for with h and ?', (t) => {
  t.true(filtered('\x01h').help);
  t.true(filtered('\x01?', 1).help);
  t.false(filtered('h?').help);
});
