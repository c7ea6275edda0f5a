import { randomBytes } from 'node:crypto';

/** Crockford's base 32: no I, L, O, U, so that ids can be read aloud. */
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * A new run id in the form of a ULID: 10 digits of time (ms), 16 of randomness. Ids sort by time as text.
 *
 * @param nowMs milliseconds since 1970
 */
export function runId(nowMs: number = Date.now(), random: Uint8Array = randomBytes(10)): string {
  const time = digits(BigInt(Math.trunc(nowMs)), 10);
  return time + digits(BigInt(`0x${Buffer.from(random).toString('hex')}`), 16);
}

function digits(value: bigint, count: number): string {
  return Array.from({ length: count }, (_, place) => DIGITS[Number((value >> BigInt(5 * (count - 1 - place))) & 31n)]).join('');
}
