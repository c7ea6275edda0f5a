import type { Quota } from '../model/limiter.ts';

/* What servers say of when to come again. All of it is pure; header names are in lower case. */

export type Headers = Readonly<Record<string, string>>;

/** Numbers above are seconds since 1970, not seconds from now: 2001. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

/**
 * `Retry-After` in either form, in ms from now. A date is compared with the server's own `Date`, so that neither clock has to be right.
 * @param nowMs for a server that sends no `Date` (ms since 1970)
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | null {
  const text = headers['retry-after']?.trim();
  if (text === undefined || text === '') return null;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, at - serverTime(headers, nowMs));
}

/**
 * What is left of a quota: `RateLimit` and `RateLimit-Remaining/-Reset` of the IETF drafts, and the `X-RateLimit-…` of many servers, whose reset is in seconds from
 * now, or in seconds or ms since 1970. Of several policies the one with the least left counts. `null`: nothing that can be used is said.
 */
export function quotaOf(headers: Headers, nowMs: number): Quota | null {
  const told = [
    ...policies(headers['ratelimit'] ?? ''),
    ...['ratelimit', 'x-ratelimit', 'x-rate-limit'].map((name) => named(headers, name)),
  ];
  const quotas = told.flatMap(({ remaining, reset, limit }): Quota[] => {
    if (remaining === null || reset === null) return [];
    return [{ remaining, resetMs: resetMs(reset, headers, nowMs), ...(limit === null ? {} : { limit }) }];
  });
  return quotas.toSorted((one, other) => one.remaining - other.remaining)[0] ?? null;
}

interface Told {
  readonly remaining: number | null;
  readonly reset: number | null;
  readonly limit: number | null;
}

/** `"hour";r=50;t=30, "day";…` of the newer drafts, `limit=100, remaining=50, reset=5` of an older one. */
function policies(text: string): readonly Told[] {
  const parameter = (part: string, names: string): number | null =>
    numberOf(new RegExp(`(?:^|[;,\\s])(?:${names})=(\\d+)`).exec(part)?.[1]);
  const parts = /(?:^|[;\s])r=/.test(text) ? text.split(',') : [text];
  return parts.map((part) => ({
    remaining: parameter(part, 'r|remaining'),
    reset: parameter(part, 't|reset'),
    limit: parameter(part, 'limit'),
  }));
}

function named(headers: Headers, prefix: string): Told {
  const value = (name: string): number | null => numberOf(headers[`${prefix}-${name}`]);
  return { remaining: value('remaining'), reset: value('reset'), limit: value('limit') };
}

/** The first number: `100, 100;w=60` is 100. */
function numberOf(text: string | undefined): number | null {
  const digits = /^\s*(\d+(?:\.\d+)?)/.exec(text ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

function resetMs(reset: number, headers: Headers, nowMs: number): number {
  if (reset < EPOCH_SECONDS) return reset * 1000;
  const at = reset < EPOCH_MS ? reset * 1000 : reset;
  return Math.max(0, at - serverTime(headers, nowMs));
}

function serverTime(headers: Headers, nowMs: number): number {
  const said = Date.parse(headers['date'] ?? '');
  return Number.isNaN(said) ? nowMs : said;
}
