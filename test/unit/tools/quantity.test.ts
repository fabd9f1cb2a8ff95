/**
 * Goal: quantities mean what people expect, and anything else is refused with the flag's name.
 */

import test from 'ava';
import { LockstepError } from '../../../lib/base/error.js';
import { parseCount, parseDuration, parseSize } from '../../../tools/quantity.js';

const GiB = 2 ** 30;

for (const [text, bytes] of [
  ['0', 0],
  ['4096', 4096],
  ['64K', 65536],
  ['64k', 65536],
  ['256M', 256 * 2 ** 20],
  ['256MiB', 256 * 2 ** 20],
  ['1.5G', 1.5 * GiB],
  ['1T', 1024 * GiB],
] as const) {
  test(`a size is ${text}`, (t) => {
    t.is(parseSize(text, '--memory'), bytes);
  });
}

for (const [text, milliseconds] of [
  ['500us', 0.5],
  ['250ms', 250],
  ['2s', 2000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['1h', 3_600_000],
] as const) {
  test(`a duration is ${text}`, (t) => {
    t.is(parseDuration(text, '--every'), milliseconds);
  });
}

for (const [text, count] of [
  ['0', 0n],
  ['1000000', 1_000_000n],
  ['1_000_000', 1_000_000n],
  ['0xf4240', 1_000_000n],
  ['10M', 10_000_000n],
  ['18446744073709551615', 2n ** 64n - 1n],
] as const) {
  test(`a count is ${text}`, (t) => {
    t.is(parseCount(text, '--until'), count);
  });
}

for (const [name, parse, texts] of [
  ['size', parseSize, ['', '-1', 'M', '1X', '1.3', '1e6', '256 M', '9999999999T', 'NaN']],
  ['duration', parseDuration, ['', '5', '-1s', '1d', 's', '1 s']],
  ['count', parseCount, ['', '-1', '1.5', '0x', '1e6', '18446744073709551616', '99999999999999G']],
] as const) {
  for (const text of texts) {
    test(`"${text}" is no ${name}`, (t) => {
      const error = t.throws((): unknown => parse(text, '--flag'), { instanceOf: LockstepError });
      t.is(error?.code, 'USAGE');
      t.regex(error?.message ?? '', /^--flag: /);
    });
  }
}
