/**
 * Goal: software made for QEMU's virt finds the same machine here.
 * Method: the tree is read back by a reader of its own, and compared with the one QEMU dumps where
 * QEMU is installed: names of nodes and their common properties. The device tree compiler, where
 * installed, must accept the blob without a warning.
 */

import test from 'ava';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildDeviceTree, DeviceTreeWriter } from '../../../lib/machine/device-tree.js';
import { findProgram, findQemu } from '../../support/qemu.js';
import { cellsOf, readDeviceTree, textsOf } from './device-tree-reader.js';
import { configOf, MEBIBYTE } from './images.js';

const run = promisify(execFile);

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-tree-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('what is written is read back: nodes, texts, cells, flags, odd lengths', (t) => {
  const tree = new DeviceTreeWriter();
  tree.node('', () => {
    tree.cells('#address-cells', 2);
    tree.node('a@1', () => {
      tree.text('list', 'one', 'three');
      tree.flag('empty');
      tree.node('b', () => tree.property('odd', Uint8Array.of(1, 2, 3, 4, 5)));
    });
    tree.node('c', () => tree.cells('#address-cells', 0xffff_ffff));
  });
  const nodes = readDeviceTree(tree.finish(0));
  t.deepEqual([...nodes.keys()], ['/', '/a@1', '/a@1/b', '/c']);
  t.deepEqual(textsOf(nodes.get('/a@1')?.get('list')), ['one', 'three']);
  t.deepEqual(nodes.get('/a@1')?.get('empty'), new Uint8Array(0));
  t.deepEqual(nodes.get('/a@1/b')?.get('odd'), Uint8Array.of(1, 2, 3, 4, 5));
  t.deepEqual(cellsOf(nodes.get('/c')?.get('#address-cells')), [0xffff_ffff]);
});

test('configuration shows: memory, command line, initrd, seed, harts', (t) => {
  const config = { ...configOf(3072 * MEBIBYTE, 'console=ttyS0 quiet'), harts: 3 };
  const nodes = readDeviceTree(buildDeviceTree(config, { start: 0x8800_0000, end: 0x8812_3456 }));
  t.deepEqual(cellsOf(nodes.get('/memory@80000000')?.get('reg')), [0, 0x8000_0000, 0, 0xc000_0000]);
  const chosen = nodes.get('/chosen');
  t.deepEqual(textsOf(chosen?.get('bootargs')), ['console=ttyS0 quiet']);
  t.deepEqual(cellsOf(chosen?.get('linux,initrd-start')), [0, 0x8800_0000]);
  t.deepEqual(cellsOf(chosen?.get('linux,initrd-end')), [0, 0x8812_3456]);
  t.deepEqual(chosen?.get('rng-seed'), config.rngSeed);
  for (const hart of [0, 1, 2]) t.true(nodes.has(`/cpus/cpu@${hart}/interrupt-controller`));
  t.is(cellsOf(nodes.get('/soc/plic@c000000')?.get('interrupts-extended')).length, 12);
});

test('without seed, command line and initrd the properties are missing', (t) => {
  const tree = buildDeviceTree({ ...configOf(), rngSeed: new Uint8Array(0) }, null);
  t.deepEqual([...(readDeviceTree(tree).get('/chosen')?.keys() ?? [])], ['stdout-path']);
});

test('the hart is described in the old form and in the new one', (t) => {
  const cpu = readDeviceTree(buildDeviceTree(configOf(), null)).get('/cpus/cpu@0');
  const extensions = textsOf(cpu?.get('riscv,isa-extensions'));
  const multi = ['zicboz', 'zicntr', 'zicsr', 'zifencei', 'zihpm', 'sstc', 'svade'];
  t.deepEqual(extensions, [...'imafdc'.split(''), ...multi]);
  t.deepEqual(textsOf(cpu?.get('riscv,isa')), [`rv64imafdc_${multi.join('_')}`]);
  t.deepEqual(textsOf(cpu?.get('riscv,isa-base')), ['rv64i']);
  t.deepEqual(cellsOf(cpu?.get('riscv,cboz-block-size')), [64]);
});

/** What QEMU's board has and this machine has not, or has otherwise on purpose. */
const ABSENT = ['/pmu', '/fw-cfg@', '/flash@', '/platform-bus@', '/soc/pci@'];
const OTHERWISE = new Set([
  '/ model',
  '/chosen rng-seed',
  '/cpus/cpu@0 riscv,isa',
  // QEMU 7.2 counts source 0 as well; later versions say 95.
  '/soc/plic@c000000 riscv,ndev',
]);

test("names and properties equal those of QEMU's virt where both have them", async (t) => {
  const qemu = await findQemu();
  if (qemu === null) {
    t.log('skipped: qemu-system-riscv64 is not installed');
    t.pass();
    return;
  }
  const theirs = await inFolder(async (folder) => {
    const file = join(folder, 'virt.dtb');
    const machine = ['-M', `virt,dumpdtb=${file}`, '-bios', 'none', '-smp', '1', '-m', '64M'];
    await run(qemu, [...machine, '-display', 'none']);
    return readDeviceTree(new Uint8Array(await readFile(file)));
  });
  const ours = readDeviceTree(buildDeviceTree(configOf(), null));
  for (const [path, properties] of theirs) {
    if (ABSENT.some((prefix) => path.startsWith(prefix))) continue;
    const node = ours.get(path);
    t.truthy(node, `node ${path}`);
    for (const [name, value] of properties) {
      const mine = node?.get(name);
      if (mine === undefined || OTHERWISE.has(`${path} ${name}`)) continue;
      t.deepEqual(mine, value, `${path} ${name}`);
    }
  }
});

test('the device tree compiler accepts the blob without a warning', async (t) => {
  const compiler = await findProgram('dtc');
  if (compiler === null) {
    t.log('skipped: dtc is not installed');
    t.pass();
    return;
  }
  await inFolder(async (folder) => {
    const file = join(folder, 'ours.dtb');
    await writeFile(file, buildDeviceTree({ ...configOf(), harts: 2 }, null));
    const { stdout, stderr } = await run(compiler, ['-I', 'dtb', '-O', 'dts', file]);
    t.is(stderr, '');
    t.regex(stdout, /compatible = "riscv-virtio"/);
  });
});
