/**
 * How fast the guest of a primary may run: at the least of what the backups' lag and a copy that is
 * under way allow it.
 */

const FULL_PERMILLE = 1000;

export interface SpeedSinks {
  /** Makes it so. */
  readonly apply: (permille: number) => void;
  /** Counts it. */
  readonly note: (permille: number) => void;
}

export class GuestSpeed {
  private readonly sinks: SpeedSinks;
  private lagPermille = FULL_PERMILLE;
  private copyPermille = FULL_PERMILLE;

  constructor(sinks: SpeedSinks) {
    this.sinks = sinks;
  }

  /** For the sake of backups that lag. */
  forLag(permille: number): void {
    this.lagPermille = permille;
    this.set();
  }

  /** For the sake of a copy of the machine. */
  forCopy(permille: number): void {
    this.copyPermille = permille;
    this.set();
  }

  private set(): void {
    const permille = Math.min(this.lagPermille, this.copyPermille);
    this.sinks.note(permille);
    this.sinks.apply(permille);
  }
}
