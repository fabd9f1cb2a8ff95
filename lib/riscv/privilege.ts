/**
 * Names of the privileged architecture: privileges, mstatus and mip bits, exception codes
 * (privileged specification, sections 3.1.6, 3.1.9 and 3.1.15).
 */

export const USER = 0;
export const SUPERVISOR = 1;
export const MACHINE = 3;

export const MSTATUS = {
  SIE: 1n << 1n,
  MIE: 1n << 3n,
  SPIE: 1n << 5n,
  MPIE: 1n << 7n,
  SPP: 1n << 8n,
  MPP: 3n << 11n,
  FS: 3n << 13n,
  MPRV: 1n << 17n,
  SUM: 1n << 18n,
  MXR: 1n << 19n,
  TVM: 1n << 20n,
  TW: 1n << 21n,
  TSR: 1n << 22n,
  UXL: 2n << 32n,
  SXL: 2n << 34n,
  SD: 1n << 63n,
} as const;

/** Interrupt codes, which are also bit numbers of mip and mie. */
export const INTERRUPT = { SSI: 1, MSI: 3, STI: 5, MTI: 7, SEI: 9, MEI: 11 } as const;
/** Highest priority first (privileged specification, section 3.1.9). */
export const INTERRUPT_PRIORITY = [11, 3, 7, 9, 1, 5] as const;
/** Interrupts that may be delegated. */
export const SUPERVISOR_INTERRUPTS = (1n << 1n) | (1n << 5n) | (1n << 9n);

export const EXCEPTION = {
  illegalInstruction: 2,
  breakpoint: 3,
  loadMisaligned: 4,
  loadAccess: 5,
  storeMisaligned: 6,
  storeAccess: 7,
  userCall: 8,
  supervisorCall: 9,
  machineCall: 11,
} as const;
