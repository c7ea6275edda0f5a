/** Every escape of a JSON text; the code of those that name one. */
const ESCAPES = /\\(?:u([0-9a-fA-F]{4})|.)/g;

/** Why jsonb does not store a JSON text that is well-formed; `null`: it does. Told here, a bad record is known before the server refuses all of a batch. */
export function jsonbRefusal(text: string): string | null {
  if (!text.includes('\\u')) return null;
  /** Where the second half of a surrogate pair must stand. */
  let half: number | null = null;
  for (const { 1: digits, index } of text.matchAll(ESCAPES)) {
    const code = digits === undefined ? null : Number.parseInt(digits, 16);
    if (code === 0) return 'holds a NUL character, which PostgreSQL cannot store';
    const isSecond = code !== null && code >= 0xdc_00 && code <= 0xdf_ff;
    if (isSecond !== (half !== null) || (half !== null && half !== index)) return HALF;
    half = code !== null && code >= 0xd8_00 && code <= 0xdb_ff ? index + 6 : null;
  }
  return half === null ? null : HALF;
}

const HALF = 'holds half of a surrogate pair, which PostgreSQL cannot store';
