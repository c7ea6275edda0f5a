import { z } from 'zod';

/*
 * Values with a unit, as people write them. Each `parse…` gives the plain number, or `null` when the text is none of its kind.
 */

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/;
/** Beyond this `setTimeout` fires at once: about 24 days. */
export const MAX_DURATION_MS = 2 ** 31 - 1;

/** `500ms`, `10s`, `1h30m` → milliseconds, rounded. */
export function parseDuration(text: string): number | null {
  if (!DURATION.test(text)) return null;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    ms += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS];
  return Math.round(ms);
}

const UNIT_BYTES: Readonly<Record<string, number>> = { B: 1, KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };
const BYTES = /^(\d+(?:\.\d+)?) ?(B|[KMG]i?B)$/i;

/** `8MiB`, `128 MB`, `512B` → bytes, rounded. MB is 1,000,000 and MiB is 1,048,576 bytes. */
export function parseByteSize(text: string): number | null {
  const match = BYTES.exec(text);
  if (match === null) return null;
  return Math.round(Number(match[1]) * (UNIT_BYTES[(match[2] as string).toUpperCase()] as number));
}

/** `5%` → 0.05. */
export function parseShare(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?) ?%$/.exec(text);
  return match === null ? null : Number(match[1]) / 100;
}

/** Of the JSON Schema: what an editor accepts, a reference included. The reference of the config tells the kinds apart by them. */
export const DURATION_PATTERN = String.raw`^(\d+(\.\d+)?(ms|s|m|h|d))+$|^\$\{`;
export const SIZE_PATTERN = String.raw`^\d+(\.\d+)? ?([KMGkmg][Ii]?)?[Bb]$|^\$\{`;
export const SHARE_PATTERN = String.raw`^\d+(\.\d+)? ?%$|^\$\{`;

/** A duration between two durations, both included. Decodes to milliseconds. */
export function duration(limits: { readonly min: string; readonly max: string }): z.ZodType<number, string> {
  const [min, max] = [parseDuration(limits.min) ?? 0, parseDuration(limits.max) ?? MAX_DURATION_MS];
  return z
    .string({ error: 'must be a duration with its unit, such as 500ms, 10s or 5m' })
    .meta({ pattern: DURATION_PATTERN })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== null && ms >= min && ms <= max) return ms;
      const wanted = ms === null ? 'must be a duration such as 500ms, 10s, 5m or 1h30m' : `must be between ${limits.min} and ${limits.max}`;
      context.issues.push({ code: 'custom', input: text, message: wanted, params: { shows: true } });
      return z.NEVER;
    });
}

/** A size between two sizes, both included; a plain number counts bytes. Decodes to bytes. */
export function byteSize(limits: { readonly min: string; readonly max: string }): z.ZodType<number, string | number> {
  const [min, max] = [parseByteSize(limits.min) ?? 0, parseByteSize(limits.max) ?? Number.MAX_SAFE_INTEGER];
  return z.union([z.string().meta({ pattern: SIZE_PATTERN }), z.number()]).transform((written, context) => {
    const bytes = typeof written === 'number' ? written : parseByteSize(written);
    if (bytes !== null && Number.isInteger(bytes) && bytes >= min && bytes <= max) return bytes;
    const wanted = bytes === null ? 'must be a size such as 8MiB or 128MB' : `must be between ${limits.min} and ${limits.max}`;
    context.issues.push({ code: 'custom', input: written, message: wanted, params: { shows: true } });
    return z.NEVER;
  });
}

/** A share of a whole: `0.05` or `5%`. Decodes to a number between 0 and 1. */
export function share(): z.ZodType<number, string | number> {
  return z
    .union([z.string().meta({ pattern: SHARE_PATTERN }), z.number().meta({ minimum: 0, maximum: 1 })])
    .transform((written, context) => {
      const value = typeof written === 'number' ? written : parseShare(written);
      if (value !== null && value >= 0 && value <= 1) return value;
      context.issues.push({
        code: 'custom',
        input: written,
        message: 'must be a share between 0 and 1, or a percentage such as 5%',
        params: { shows: true },
      });
      return z.NEVER;
    });
}
