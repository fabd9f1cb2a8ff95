/**
 * Expected failures: bad input from a user, a file, a peer or a guest image.
 *
 * Every failure has a stable code, which decides the exit status of a process and the gRPC
 * status of a call. `message` is for people: what is wrong, and what to do about it.
 */

export type ErrorCode =
  /** A flag or a combination of flags is wrong. Exit status 2. */
  | 'USAGE'
  /** A kernel, firmware, ELF, initrd, disk or device tree can't be used. */
  | 'BAD_IMAGE'
  /** A log or a snapshot is damaged, of another format, or of another machine. */
  | 'BAD_LOG'
  | 'BAD_SNAPSHOT'
  /** The peer speaks another protocol version or runs another machine or other images. */
  | 'INCOMPATIBLE_PEER'
  /** This node is not primary; fields name who is. */
  | 'NOT_PRIMARY'
  /** A newer epoch exists; this node may not speak any more. */
  | 'FENCED'
  /** The replica's state differs from the primary's. */
  | 'DIVERGED'
  /** The arbiter can't be asked (directory missing, not writable, no answer). */
  | 'ARBITER_UNAVAILABLE'
  /** A port, socket or file can't be opened, written or is full. */
  | 'IO'
  /** Something that would be insecure was asked for and refused. */
  | 'INSECURE'
  /** A tool that an optional step needs is not installed. */
  | 'MISSING_TOOL'
  /** The guest did something that this machine does not do; the machine stopped. */
  | 'GUEST_STOPPED';

export class LockstepError extends Error {
  override readonly name = 'LockstepError';
  readonly code: ErrorCode;
  readonly fields: Readonly<Record<string, string | number | bigint>>;

  constructor(
    code: ErrorCode,
    message: string,
    fields: Readonly<Record<string, string | number | bigint>> = {},
  ) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

/** Exit status of a process that ends by this failure; documented in docs/OPERATING.md. */
export const EXIT_STATUS: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  BAD_IMAGE: 3,
  BAD_LOG: 4,
  BAD_SNAPSHOT: 5,
  INCOMPATIBLE_PEER: 6,
  NOT_PRIMARY: 7,
  FENCED: 8,
  DIVERGED: 9,
  ARBITER_UNAVAILABLE: 10,
  IO: 11,
  INSECURE: 12,
  MISSING_TOOL: 13,
  GUEST_STOPPED: 14,
};
