/*
 * The circuit breaker of a connection, as data and pure functions of it; time is an argument (ms since 1970).
 *
 *   closed     everything passes; faults in a row are counted, any answer starts over. The one that is `failures` in a row → open
 *   open       nothing passes. After `openForMs` → half-open
 *   half-open  one call passes, as the probe, and the others wait for it. It is answered → closed; it fails → open again; it is given up, or says
 *              nothing for `openForMs` → the next call is the probe
 *
 * Own code and not a library: cockatiel can store its state, but without the last fault, takes the time from the clock, and wraps one function, where a read is
 * an iterator that fails at any of its steps. What is stored here is what the next run goes by and `trueup status` shows.
 */

export interface BreakerLimits {
  /** Faults in a row. */
  readonly failures: number;
  readonly openForMs: number;
}

export interface BreakerState {
  readonly state: 'closed' | 'open' | 'half-open';
  /** When this state began. */
  readonly sinceMs: number;
  /** Faults in a row. */
  readonly failures: number;
  /** Code of the last of them. */
  readonly lastCode: string | null;
  /** half-open: when the probe began; `null`: there is none. */
  readonly probeMs: number | null;
}

/** `epoch` names the state that a call was let through in: what ends in a later state says nothing of that. */
export type Permit =
  | { readonly kind: 'pass' | 'probe'; readonly epoch: number }
  | { readonly kind: 'wait' }
  | { readonly kind: 'refuse'; readonly retryAfterMs: number };

export function closedBreaker(nowMs: number): BreakerState {
  return { state: 'closed', sinceMs: nowMs, failures: 0, lastCode: null, probeMs: null };
}

/** Whether a call may go through now. */
export function ask(state: BreakerState, limits: BreakerLimits, nowMs: number): { readonly state: BreakerState; readonly permit: Permit } {
  if (state.state === 'closed') return { state, permit: { kind: 'pass', epoch: state.sinceMs } };
  const now = stateAt(state, limits, nowMs);
  if (now.state === 'open') return { state, permit: { kind: 'refuse', retryAfterMs: now.sinceMs + limits.openForMs - nowMs } };
  if (now.probeMs !== null && nowMs < now.probeMs + limits.openForMs) return { state, permit: { kind: 'wait' } };
  return { state: { ...now, probeMs: nowMs }, permit: { kind: 'probe', epoch: nowMs } };
}

/** The state as time has made it: an open one becomes half-open by itself. A clock that went back makes nobody wait longer than `openForMs`. */
export function stateAt(state: BreakerState, { openForMs }: BreakerLimits, nowMs: number): BreakerState {
  if (state.state !== 'open') return state;
  const sinceMs = Math.min(state.sinceMs, nowMs);
  if (nowMs < sinceMs + openForMs) return { ...state, sinceMs };
  return { ...state, state: 'half-open', sinceMs: sinceMs + openForMs, probeMs: null };
}

export type Outcome = { readonly kind: 'answered' } | { readonly kind: 'failed'; readonly code: string } | { readonly kind: 'given-up' };

export interface Ended {
  readonly permit: Extract<Permit, { readonly epoch: number }>;
  readonly outcome: Outcome;
}

/** The state after a call has ended. */
export function ended(state: BreakerState, limits: BreakerLimits, { permit, outcome }: Ended, nowMs: number): BreakerState {
  if (permit.kind === 'probe') return probed(state, { permit, outcome }, nowMs);
  if (state.state !== 'closed' || state.sinceMs !== permit.epoch || outcome.kind === 'given-up') return state;
  if (outcome.kind === 'answered') return state.failures === 0 ? state : { ...state, failures: 0, lastCode: null };
  const failures = state.failures + 1;
  return failures < limits.failures
    ? { ...state, failures, lastCode: outcome.code }
    : { state: 'open', sinceMs: nowMs, failures, lastCode: outcome.code, probeMs: null };
}

function probed(state: BreakerState, { permit, outcome }: Ended, nowMs: number): BreakerState {
  // Another probe has taken its place.
  if (state.state !== 'half-open' || state.probeMs !== permit.epoch) return state;
  switch (outcome.kind) {
    case 'answered':
      return closedBreaker(nowMs);
    case 'failed':
      return { state: 'open', sinceMs: nowMs, failures: state.failures + 1, lastCode: outcome.code, probeMs: null };
    case 'given-up':
      return { ...state, probeMs: null };
  }
}
