/**
 * Lets virtual time follow the host's clock smoothly.
 *
 * Virtual time is a function of the step count: `rate` ticks a step. This control looks at how
 * fast steps were counted lately and how far virtual time is off, and now and then chooses the
 * rate that would meet host time a fifth of a second from now. Time never steps, forward or back,
 * while a hart runs; a parked hart's time jumps to host time when it wakes.
 *
 *      host time (100 ns ticks) = anchorTicks + (nowNs - anchorNs) / 100
 *
 * Time that the machine lost (the process was stopped, the guest paused or throttled hard) is not
 * made up beyond a bound: the anchor moves instead, so a guest never sees a leap that would look
 * to it like a hung processor.
 *
 * Invariant: a rate chosen lies between 1/64 and 64 times the machine's initial rate.
 */

/** Nanoseconds in a timebase tick (10 MHz). */
const NS_PER_TICK = 100n;
/** A re-base costs a log entry: at most one in this time of running. */
const REBASE_INTERVAL_NS = 50_000_000n;
/** The rate aims at host time this far ahead; shorter would follow every hiccup. */
const AIM_NS = 200_000_000n;
/** Lost time beyond this is left, not caught up. */
const MAX_CATCH_UP_TICKS = 5_000_000n;
/** A gap between two slices, or a wake behind its deadline, longer than this is lost time. */
const MAX_GAP_NS = 100_000_000n;
const RATE_BOUND = 64n;
/** A change below 1/32 is not worth an entry unless time is off by more than this. */
const TOLERANCE_TICKS = 20_000n;

export interface ClockControlOptions {
  readonly nowNs: bigint;
  /** Virtual time now; host time is counted from here. */
  readonly ticks: bigint;
  readonly initialRate: bigint;
}

export interface SliceTiming {
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly steps: bigint;
}

export class ClockControl {
  private readonly initialRate: bigint;
  private anchorNs: bigint;
  private anchorTicks: bigint;
  /** Chosen last; 0 before, when the machine's rate is not known here. */
  private rate = 0n;
  /** Since the last look: wall time in which the guest could run, and the steps it counted. */
  private runNs = 0n;
  private runSteps = 0n;
  /** End of the last slice, null if the hart has parked since. */
  private lastEndNs: bigint | null = null;

  constructor(options: ClockControlOptions) {
    this.initialRate = options.initialRate;
    this.anchorNs = options.nowNs;
    this.anchorTicks = options.ticks;
  }

  /** Host time on the machine's scale, in ticks. */
  hostTicks(nowNs: bigint): bigint {
    return this.anchorTicks + (nowNs - this.anchorNs) / NS_PER_TICK;
  }

  /** Takes note of a slice that ran. */
  noteSlice(timing: SliceTiming): void {
    let elapsedNs = timing.endNs - timing.startNs;
    if (this.lastEndNs !== null) {
      const gapNs = timing.startNs - this.lastEndNs;
      if (gapNs > MAX_GAP_NS) this.lose(gapNs - MAX_GAP_NS);
      else elapsedNs += gapNs;
    }
    this.runNs += elapsedNs;
    this.runSteps += timing.steps;
    this.lastEndNs = timing.endNs;
  }

  notePark(): void {
    this.lastEndNs = null;
  }

  /** The rate to be logged at this point, or null to go on as it is. `ticks` is virtual time. */
  chooseRate(nowNs: bigint, ticks: bigint): bigint | null {
    if (this.runNs < REBASE_INTERVAL_NS || this.runSteps === 0n) return null;
    let behind = this.hostTicks(nowNs) - ticks;
    if (behind > MAX_CATCH_UP_TICKS) {
      this.lose((behind - MAX_CATCH_UP_TICKS) * NS_PER_TICK);
      behind = MAX_CATCH_UP_TICKS;
    }
    const aimTicks = AIM_NS / NS_PER_TICK;
    const stepsToAim = (this.runSteps * AIM_NS) / this.runNs;
    this.runNs = 0n;
    this.runSteps = 0n;
    const wanted = aimTicks + behind > 0n ? aimTicks + behind : 0n;
    const rate = this.bound((wanted << 32n) / (stepsToAim > 0n ? stepsToAim : 1n));
    const change = magnitude(rate - this.rate);
    if (change === 0n) return null;
    if (change * 32n < this.rate && magnitude(behind) < TOLERANCE_TICKS) return null;
    this.rate = rate;
    return rate;
  }

  /** Virtual time at which a hart wakes now; `deadline` is its timer, if it has one. */
  wakeTicks(nowNs: bigint, ticks: bigint, deadline: bigint | null): bigint {
    if (deadline !== null) {
      const lateNs = (this.hostTicks(nowNs) - deadline) * NS_PER_TICK;
      if (lateNs > MAX_GAP_NS) this.lose(lateNs - MAX_GAP_NS);
    }
    const host = this.hostTicks(nowNs);
    return host > ticks ? host : ticks;
  }

  /** Nanoseconds from now until host time reaches `deadline`; 0 if it has. */
  untilNs(nowNs: bigint, deadline: bigint): bigint {
    const ticks = deadline - this.hostTicks(nowNs);
    return ticks > 0n ? ticks * NS_PER_TICK : 0n;
  }

  private lose(ns: bigint): void {
    this.anchorNs += ns;
  }

  private bound(rate: bigint): bigint {
    const low = this.initialRate / RATE_BOUND > 0n ? this.initialRate / RATE_BOUND : 1n;
    const high = this.initialRate * RATE_BOUND;
    return rate < low ? low : rate > high ? high : rate;
  }
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
