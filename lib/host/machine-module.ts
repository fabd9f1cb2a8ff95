/** Module that makes the RISC-V machine, the factory of every worker that is told no other. */
export const RISCV_MACHINE = new URL('../machine/riscv-machine.js', import.meta.url).href;
