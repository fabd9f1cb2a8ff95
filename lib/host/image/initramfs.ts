/**
 * The guest's initial RAM file system: busybox, the kernel modules of a virtio machine, and an
 * init that runs a script or a shell and then switches the machine off.
 *
 * Equal inputs give equal bytes. Modules stay packed as they come, since only those for which a
 * device is there are loaded.
 */

import { writeCpio, type CpioEntry } from './cpio.js';
import type { ModuleSet } from './kernel-modules.js';
import type { PackageEntry } from './package-archive.js';

/** Raised when INIT or the layout changes, so that images built before are built anew. */
export const INITRAMFS_VERSION = 3;

/** Loaded by init where the machine has the device, or on demand (ext4). */
export const WANTED_MODULES: readonly string[] = [
  'virtio_mmio',
  'virtio_rng',
  'virtio_blk',
  'virtio_net',
  'ext4',
];

const INIT = `#!/bin/busybox sh
# First process of the guest. With root=DEVICE on the kernel's command line it hands over to
# /sbin/init there. Otherwise it runs, in this order of choice:
#   lockstep.run="COMMANDS" on the kernel's command line,
#   /script, if the image was built with one,
#   a shell on the console.
# Afterwards it switches the machine off.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root PS1='# '
cd /root

modprobe -q virtio_mmio
for device in /sys/bus/virtio/devices/*/modalias; do
  [ -r "$device" ] && modprobe -q "$(cat "$device")"
done

root=$(sed -n 's/.*\\broot=\\([^ ]*\\).*/\\1/p' /proc/cmdline)
if [ -n "$root" ]; then
  modprobe -q ext4
  mount -t ext4 "$root" /mnt || { echo "lockstep: no root disk at $root"; poweroff -f; }
  mount -o move /dev /mnt/dev
  umount /sys /proc
  exec switch_root /mnt /sbin/init
fi

ip link set lo up
if [ -e /sys/class/net/eth0 ]; then
  ip link set eth0 up
  udhcpc -i eth0 -q -n -t 5 -T 1 -s /etc/udhcpc.sh 2>/dev/null ||
    echo 'lockstep: no address from DHCP'
fi

commands=$(sed -n 's/.*lockstep\\.run="\\([^"]*\\)".*/\\1/p' /proc/cmdline)
if [ -n "$commands" ]; then
  echo 'lockstep: commands begin'
  sh -c "$commands"
  echo "lockstep: commands ended with status $?"
elif [ -f /script ]; then
  echo 'lockstep: script begins'
  sh /script
  echo "lockstep: script ended with status $?"
else
  echo 'lockstep: shell begins; leaving it switches the machine off'
  setsid cttyhack sh
fi
sync
poweroff -f
`;

/** What busybox's DHCP client runs when it has got a lease. */
const LEASE_SCRIPT = `#!/bin/busybox sh
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip addr replace "$ip/\${mask:-24}" dev "$interface"
for gateway in $router; do
  ip route replace default via "$gateway" dev "$interface"
done
for server in $dns; do
  echo "nameserver $server"
done > /etc/resolv.conf
echo "lockstep: address $ip"
`;

const DIRECTORIES: readonly string[] = [
  'bin',
  'sbin',
  'usr',
  'usr/bin',
  'usr/sbin',
  'etc',
  'dev',
  'proc',
  'sys',
  'run',
  'mnt',
  'root',
  'lib',
  'lib/modules',
];

export interface InitramfsParts {
  readonly busybox: Uint8Array;
  readonly kernelVersion: string;
  readonly modules: ModuleSet;
  /** Files of further packages, by path; none where absent. */
  readonly extra?: ReadonlyMap<string, PackageEntry>;
  /** Run by init instead of a shell; null for none. */
  readonly script: Uint8Array | null;
}

export function buildInitramfs(parts: InitramfsParts): Uint8Array {
  const folder = `lib/modules/${parts.kernelVersion}`;
  const entries: CpioEntry[] = DIRECTORIES.map((path) => ({ kind: 'directory', path }));
  entries.push(
    { kind: 'directory', path: 'tmp', mode: 0o1777 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'character-device', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    text('etc/passwd', 'root::0:0:root:/root:/bin/sh\n'),
    text('etc/group', 'root:x:0:\n'),
    text('etc/hosts', '127.0.0.1 localhost\n'),
    { kind: 'file', path: 'etc/udhcpc.sh', mode: 0o755, bytes: Buffer.from(LEASE_SCRIPT) },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from(INIT) },
    { kind: 'file', path: 'bin/busybox', mode: 0o755, bytes: parts.busybox },
    { kind: 'symlink', path: 'bin/sh', target: 'busybox' },
    ...moduleEntries(folder, parts.modules),
  );
  if (parts.script !== null) {
    entries.push({ kind: 'file', path: 'script', mode: 0o755, bytes: parts.script });
  }
  addPackageEntries(entries, parts.extra ?? new Map());
  return writeCpio(entries);
}

/**
 * Packages of Debian 13 put everything below /usr, and their programs name the loader below /lib,
 * which is /usr/lib there. Here /lib holds the kernel's modules, so it gets a link to the loader.
 */
function addPackageEntries(
  entries: CpioEntry[],
  packages: ReadonlyMap<string, PackageEntry>,
): void {
  const present = new Set(entries.map(({ path }) => path));
  const add = (entry: CpioEntry): void => {
    if (present.has(entry.path)) return;
    present.add(entry.path);
    entries.push(entry);
  };
  for (const [path, entry] of packages) {
    path.split('/').forEach((_, index, parts) => {
      if (index > 0) add({ kind: 'directory', path: parts.slice(0, index).join('/') });
    });
    add({ path, ...entry });
    const loader = /^usr\/(lib\/ld-linux[^/]*)$/.exec(path)?.[1];
    if (loader !== undefined) add({ kind: 'symlink', path: loader, target: `/${path}` });
  }
}

function moduleEntries(folder: string, { modules, ...indexes }: ModuleSet): CpioEntry[] {
  const entries: CpioEntry[] = [];
  const made = new Set<string>();
  const makeParents = (path: string): void => {
    const end = path.lastIndexOf('/');
    const parent = path.slice(0, end);
    if (made.has(parent) || parent === 'lib/modules') return;
    makeParents(parent);
    made.add(parent);
    entries.push({ kind: 'directory', path: parent });
  };
  for (const { path, bytes } of modules) {
    makeParents(`${folder}/${path}`);
    entries.push({ kind: 'file', path: `${folder}/${path}`, mode: 0o644, bytes });
  }
  entries.push(
    text(`${folder}/modules.dep`, indexes.dependencyIndex),
    text(`${folder}/modules.alias`, indexes.aliasIndex),
  );
  return entries;
}

function text(path: string, content: string): CpioEntry {
  return { kind: 'file', path, mode: 0o644, bytes: Buffer.from(content) };
}
