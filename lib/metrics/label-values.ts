/**
 * The values of closed labels, by which the series of a metric are told apart. They are public API,
 * like the names of the metrics: catalogue.ts says which metric has which label.
 */

export const ROLES = [
  'backup',
  'candidate',
  'primary',
  'fenced',
  'stopped',
  'spare',
  'verifier',
] as const;
export const BACKUP_STAGES = ['waiting', 'joining', 'counted', 'verifying'] as const;
export const PROTECTION_STATES = ['unprotected', 'joining', 'protected', 'holding'] as const;
export const EVENT_KINDS = [
  'epoch',
  'console-input',
  'entropy',
  'rebase',
  'wake',
  'interrupt',
  'output-mark',
  'state-hash',
  'horizon',
  'control',
  'steal',
  'frame',
] as const;
/** Why a page, or the devices as one page, went from one hart to another. */
export const STEAL_CAUSES = ['read', 'write', 'by-device', 'devices', 'interrupts'] as const;
export const STREAMS = ['uart', 'virtio-console', 'power', 'network'] as const;
