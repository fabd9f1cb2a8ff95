/**
 * Goal: an address is what it looks like, and nothing beyond this machine is taken for local.
 * Method: tables of good, bad and foreign addresses.
 */

import test from 'ava';
import { formatAddress, isLocal, parseAddress, requireLocal } from '../../../lib/rpc/address.js';

test('an address that is parsed and formatted is the same', (t) => {
  for (const text of ['127.0.0.1:0', 'localhost:65535', '[::1]:80', 'unix:/tmp/s', 'unix:s']) {
    t.is(formatAddress(parseAddress(text)), text);
  }
  t.is(formatAddress(parseAddress('unix:///tmp/s')), 'unix:/tmp/s');
});

test('what is no address is USAGE', (t) => {
  const wrong = ['', ':1', 'host', 'host:', 'host:65536', '::1:80', 'a b:1', 'unix:', '[x]:1'];
  for (const text of [...wrong, `unix:/${'x'.repeat(120)}`]) {
    t.like(
      t.throws(() => parseAddress(text)),
      { code: 'USAGE' },
      text,
    );
  }
});

test('only loopback and unix sockets are local', (t) => {
  for (const text of ['127.0.0.1:1', '127.9.9.9:1', 'localhost:1', '[::1]:1', 'unix:/s']) {
    t.true(isLocal(parseAddress(text)), text);
  }
  for (const text of ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'host:1', '127.0.0.1.evil:1']) {
    t.false(isLocal(parseAddress(text)), text);
    t.like(
      t.throws(() => requireLocal(parseAddress(text), '--listen')),
      { code: 'INSECURE' },
    );
  }
});
