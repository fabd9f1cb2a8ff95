/**
 * Names of the control and status registers that this machine has, for listings and assemblers
 * (privileged specification, section 2.2). Whether an access is allowed is decided in `csr.ts`.
 */

const NAMES: Readonly<Record<number, string>> = {
  ...{ 0x001: 'fflags', 0x002: 'frm', 0x003: 'fcsr' },
  ...{ 0xc00: 'cycle', 0xc01: 'time', 0xc02: 'instret' },
  ...{ 0x100: 'sstatus', 0x104: 'sie', 0x105: 'stvec', 0x106: 'scounteren', 0x10a: 'senvcfg' },
  ...{ 0x140: 'sscratch', 0x141: 'sepc', 0x142: 'scause', 0x143: 'stval', 0x144: 'sip' },
  ...{ 0x14d: 'stimecmp', 0x180: 'satp' },
  ...{ 0xf11: 'mvendorid', 0xf12: 'marchid', 0xf13: 'mimpid', 0xf14: 'mhartid' },
  ...{ 0xf15: 'mconfigptr', 0x300: 'mstatus', 0x301: 'misa', 0x302: 'medeleg' },
  ...{ 0x303: 'mideleg', 0x304: 'mie', 0x305: 'mtvec', 0x306: 'mcounteren', 0x30a: 'menvcfg' },
  ...{ 0x320: 'mcountinhibit', 0x340: 'mscratch', 0x341: 'mepc', 0x342: 'mcause' },
  ...{ 0x343: 'mtval', 0x344: 'mip', 0xb00: 'mcycle', 0xb02: 'minstret' },
  ...{ 0x3a0: 'pmpcfg0', 0x3a2: 'pmpcfg2' },
  ...bank('pmpaddr', 0x3b0, [0, 15]),
  ...bank('mhpmevent', 0x320, [3, 31]),
  ...bank('mhpmcounter', 0xb00, [3, 31]),
  ...bank('hpmcounter', 0xc00, [3, 31]),
};

const NUMBERS = new Map(Object.entries(NAMES).map(([number, name]) => [name, Number(number)]));

function bank(
  prefix: string,
  base: number,
  [first, last]: readonly [number, number],
): Record<number, string> {
  const entries: [number, string][] = [];
  for (let index = first; index <= last; index++) entries.push([base + index, prefix + index]);
  return Object.fromEntries(entries);
}

/** The name of a register, or its number in hexadecimal. */
export function csrName(csr: number): string {
  return NAMES[csr] ?? `0x${csr.toString(16)}`;
}

/** The number of a named register, or undefined. */
export function csrNumber(name: string): number | undefined {
  return NUMBERS.get(name);
}
