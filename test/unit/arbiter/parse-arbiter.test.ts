/**
 * Goal: --arbiter takes a directory or the members of an etcd, and refuses the rest.
 * Method: texts and what becomes of them.
 */

import test from 'ava';
import { EtcdArbiter } from '../../../lib/arbiter/etcd-arbiter.js';
import { GenerationFileArbiter } from '../../../lib/arbiter/generation-file.js';
import { parseArbiter } from '../../../lib/arbiter/parse-arbiter.js';

test('a directory or the members of an etcd, with or without a prefix of keys', (t) => {
  t.true(parseArbiter('file:/tmp') instanceof GenerationFileArbiter);
  for (const text of [
    'etcd:127.0.0.1:2379',
    'etcd:127.0.0.1:2379,[::1]:2379,localhost:2380',
    'etcd:127.0.0.1:2379/team-1/vm.a',
  ]) {
    const arbiter = parseArbiter(text);
    t.true(arbiter instanceof EtcdArbiter, text);
    arbiter.close();
  }
});

test('anything else is USAGE, and an etcd beyond loopback is INSECURE', (t) => {
  const many = Array.from({ length: 10 }, (_, at) => `127.0.0.1:${at + 1}`).join(',');
  const cases = {
    USAGE: [
      ...['', 'file:', '/tmp', 'etcd:', 'etcd:x', 'etcd:127.0.0.1', 'etcd:127.0.0.1:1,'],
      ...['etcd:127.0.0.1:1/', 'etcd:127.0.0.1:1/a//b', 'etcd:127.0.0.1:1/a b', `etcd:${many}`],
      'etcd:127.0.0.1:1,127.0.0.1:1',
    ],
    INSECURE: ['etcd:192.0.2.1:2379', 'etcd:127.0.0.1:2379,etcd.example:2379'],
  };
  for (const [code, texts] of Object.entries(cases)) {
    for (const text of texts) {
      t.like(
        t.throws(() => parseArbiter(text), undefined, text),
        { code },
        text,
      );
    }
  }
});
