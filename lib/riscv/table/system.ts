/**
 * Zicsr and the privileged instructions (privileged specification, chapters 2, 3 and 12).
 * All are carried out by the hart outside generated code.
 */

import { row, system, type Instruction } from './instruction.js';

const csr = (name: string, funct3: number): Instruction =>
  row('Zicsr', 'csr', [name, 0x73 | (funct3 << 12), 0x707f], [system('csr')]);

export const SYSTEM: readonly Instruction[] = [
  csr('csrrw', 1),
  csr('csrrs', 2),
  csr('csrrc', 3),
  csr('csrrwi', 5),
  csr('csrrsi', 6),
  csr('csrrci', 7),
  row('Priv', 'none', ['ecall', 0x00000073, 0xffffffff], [system('ecall')]),
  row('Priv', 'none', ['ebreak', 0x00100073, 0xffffffff], [system('ebreak')]),
  row('Priv', 'none', ['sret', 0x10200073, 0xffffffff], [system('sret')]),
  row('Priv', 'none', ['mret', 0x30200073, 0xffffffff], [system('mret')]),
  row('Priv', 'none', ['wfi', 0x10500073, 0xffffffff], [system('wfi')]),
  row('Priv', 'none', ['sfence.vma', 0x12000073, 0xfe007fff], [system('sfence-vma')], {
    files: { rs1: 'x', rs2: 'x' },
  }),
];
