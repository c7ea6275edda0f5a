import type { Random } from './prng.ts';
import { someText } from './values.ts';
import type { KindName } from './values.ts';

/** Kinds that a key column may have, and the value that stands at each index: another one for each index, the odd ones first. */
const VALUES = {
  int4: (index) => ['0', '-1', '2147483647', '-2147483648'][index] ?? String(index * 3),
  int8: (index) => ['-9223372036854775808', '9223372036854775807', '9007199254740993', '9007199254740992'][index] ?? String(index),
  text: (index, random) =>
    ['', ' ', 'a', 'A', 'a ', '\u00e9', 'e\u0301', String.raw`\N`, 'z\n', '[1,"x"]', '10', '9'][index] ?? `${someText(random)}${index}`,
  uuid: (index, random) => `${random.int(10_000_000, 99_999_999)}-0000-4000-8000-${String(index).padStart(12, '0')}`,
  numeric: (index, random) =>
    ['NaN', 'Infinity', '-Infinity', '0.00', '1e30', '-0.1'][index] ??
    `${random.pick(['', '-'])}${index}${random.pick(['', '.0', '.50', '.123456789012345678901'])}`,
  date: (index) => ['infinity', '-infinity', '0001-01-01 BC'][index] ?? new Date(Date.UTC(2024, 1, 20 + index)).toISOString().slice(0, 10),
  timestamptz: (index) =>
    ['infinity', '-infinity'][index] ??
    `2026-03-29 00:59:59.${String(999_000 + (index % 1000)).padStart(6, '0')}+0${Math.floor(index / 1000) % 10}`,
  bytea: (index) => `\\x${index.toString(16).padStart(4, '0')}`,
} as const satisfies Partial<Record<KindName, (index: number, random: Random) => string>>;

export type KeyKind = keyof typeof VALUES;
export const KEY_KINDS = Object.keys(VALUES) as KeyKind[];

/** `count` keys of these columns, no two of them equal: per key the text of each column. */
export function keyUniverse(kinds: readonly KeyKind[], count: number, random: Random): string[][] {
  const base = Math.ceil(count ** (1 / kinds.length));
  // One value for each index of a column, however often it is used.
  const columns = kinds.map((kind) => {
    const values = Array.from({ length: kinds.length === 1 ? count : base }, (_, index) => VALUES[kind](index, random));
    return (index: number) => values[index] as string;
  });
  return Array.from({ length: count }, (_, number) =>
    columns.map((value, column) => value(kinds.length === 1 ? number : Math.floor(number / base ** column) % base)),
  );
}
