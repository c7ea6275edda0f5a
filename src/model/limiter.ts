/** What a server says of what is left of its quota. */
export interface Quota {
  /** Requests that are left until `resetMs`. */
  readonly remaining: number;
  /** Requests of a whole period, where it is told. */
  readonly limit?: number;
  /** From now until the quota is whole again (ms). */
  readonly resetMs: number;
}

/** The right to ask the system once. It counts as one of `concurrency` until it ends. */
export interface Turn {
  /**
   * Gives the turn back; harmless when called again. Without an error the system has answered. With one it counts towards the circuit breaker if
   * it is of the environment: nobody answers, or a passing fault. `null`: it was given up before the system said anything.
   */
  end(error?: unknown): void;
}

/**
 * Rate, concurrency and circuit breaker of one connection, shared by all jobs of the process. A connector that makes requests takes a turn for each try
 * of each request, and says so with `limits: 'requests'`.
 */
export interface Limiter {
  /**
   * Waits for a turn, first come first served.
   *
   * @param maxWaitMs give up at once, with E_BUSY and `retryAfterMs`, when a pause that the server asked for lasts longer
   * @throws {TrueupError} `E_CIRCUIT_OPEN` or `E_CIRCUIT_SKIPPED` while the circuit breaker is open
   */
  take(signal: AbortSignal, maxWaitMs?: number): Promise<Turn>;
  /** No turn begins in the next `ms`. */
  pause(ms: number): void;
  /** Spreads what is left of a quota over the time that is left, when little is left. */
  slowDown(quota: Quota): void;
}
