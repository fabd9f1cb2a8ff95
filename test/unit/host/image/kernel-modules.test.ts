/**
 * Goal: a guest gets every module it needs, in an order that loads, and indexes modprobe can use.
 * Method: modules made of nothing but their `.modinfo`.
 */

import test from 'ava';
import { LockstepError } from '../../../../lib/base/error.js';
import { modinfo, moduleName, selectModules } from '../../../../lib/host/image/kernel-modules.js';
import { makeModule } from '../../../support/debian-mirror.js';

const AVAILABLE = new Map([
  ['kernel/a/net-card.ko', makeModule(['depends=bus,fail-over', 'alias=virtio:d1v*'])],
  ['kernel/b/fail_over.ko', makeModule(['depends=bus', 'name=fail_over'])],
  ['kernel/b/bus.ko', makeModule(['depends='])],
  ['kernel/fs/disk.ko', makeModule(['softdep=pre: crypto-sum post: other', 'alias=fs-disk'])],
  ['kernel/crypto/sum_generic.ko', makeModule([])],
  ['kernel/a/unrelated.ko', makeModule([])],
]);

test('dependencies stand before what needs them; nothing else is taken', async (t) => {
  const { modules } = await selectModules(AVAILABLE, '', ['net_card']);
  t.deepEqual(
    modules.map(({ path }) => path),
    ['kernel/b/bus.ko', 'kernel/b/fail_over.ko', 'kernel/a/net-card.ko'],
  );
});

test('the indexes name dependencies nearest first, and aliases', async (t) => {
  const { dependencyIndex, aliasIndex } = await selectModules(AVAILABLE, '', ['net_card', 'disk']);
  t.true(dependencyIndex.includes('kernel/a/net-card.ko: kernel/b/bus.ko kernel/b/fail_over.ko\n'));
  t.true(dependencyIndex.includes('kernel/fs/disk.ko: kernel/crypto/sum_generic.ko\n'));
  t.is(aliasIndex, 'alias virtio:d1v* net_card\nalias fs-disk disk\n');
});

test('what is built into the kernel needs no module; what is nowhere is refused', async (t) => {
  const { modules } = await selectModules(new Map(), 'kernel/b/bus.ko\n', ['bus']);
  t.deepEqual(modules, []);
  const failure = await t.throwsAsync(selectModules(AVAILABLE, '', ['missing']), {
    instanceOf: LockstepError,
  });
  t.is(failure.code, 'BAD_IMAGE');
});

test('names are compared as the kernel does', (t) => {
  t.is(moduleName('kernel/drivers/virtio-rng.ko.xz'), 'virtio_rng');
});

test('a damaged module is refused', (t) => {
  const failure = t.throws(() => modinfo(new Uint8Array(10)), { instanceOf: LockstepError });
  t.is(failure.code, 'BAD_IMAGE');
});
