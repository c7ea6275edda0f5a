const RealDate = globalThis.Date;
let shiftMs = 0;

/** Sets the clock of this process: from now on `Date` is so far ahead of the time, or behind it. Timers and `performance` go on as they are. */
export function jumpClock(ms: number): void {
  shiftMs += ms;
  if (globalThis.Date === RealDate) globalThis.Date = ShiftedDate as DateConstructor;
}

class ShiftedDate extends RealDate {
  constructor(...given: readonly unknown[]) {
    if (given.length === 0) super(RealDate.now() + shiftMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return RealDate.now() + shiftMs;
  }
}
