/** How often something may begin: `perSecond` in the long run, `burst` at once after a rest. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is left to take, as of a time (ms). */
export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export function fullBucket(rate: Rate, nowMs: number): Bucket {
  return { tokens: rate.burst, atMs: nowMs };
}

/** The bucket at a later time; a clock that goes back fills nothing. */
export function refilled(bucket: Bucket, rate: Rate, nowMs: number): Bucket {
  const passedMs = Math.max(0, nowMs - bucket.atMs);
  return { tokens: Math.min(rate.burst, bucket.tokens + (passedMs / 1000) * rate.perSecond), atMs: nowMs };
}

/** Until a whole token is there (ms, rounded up); 0: now. */
export function waitForToken({ tokens }: Bucket, rate: Rate): number {
  return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / rate.perSecond) * 1000);
}
