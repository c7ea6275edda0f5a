import { z } from 'zod';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const UNIT_BYTES: Readonly<Record<string, number>> = { KB: 1e3, MB: 1e6, GB: 1e9, KIB: 2 ** 10, MIB: 2 ** 20, GIB: 2 ** 30 };

/** `500ms`, `30s`, `5m`, `1h` as milliseconds. */
export const duration = (standard: string, description: string) =>
  z
    .string()
    .regex(/^\d+(ms|s|m|h)$/, 'a duration such as 500ms, 30s or 5m')
    .default(standard)
    .transform((text) => {
      const [, amount, unit] = /^(\d+)(\w+)$/.exec(text) as unknown as [string, string, string];
      return Number(amount) * (UNIT_MS[unit] as number);
    })
    .describe(description);

/** `64MiB`, `1GB` as bytes. */
export const bytes = (standard: string, description: string) =>
  z
    .string()
    .regex(/^\d+ ?([KMGkmg]i?B)$/, 'a size such as 64MiB or 1GB')
    .default(standard)
    .transform((text) => {
      const [, amount, unit] = /^(\d+) ?(\w+)$/.exec(text) as unknown as [string, string, string];
      return Number(amount) * (UNIT_BYTES[unit.toUpperCase()] as number);
    })
    .describe(description);
