import type { FileOptions } from './options.ts';

/** How the bytes of a file are to be read. */
export interface Format {
  readonly text: 'csv' | 'jsonl';
  readonly compression: 'none' | 'gzip' | 'zstd';
}

const NAME = /^(.*?)(?:\.(csv|jsonl|ndjson))?(?:\.(gz|zst))?$/s;

type Defaults = Pick<FileOptions, 'format' | 'compression'>;

/** The format by the ends of the name; where they say nothing, by the options; `null`: neither does. */
export function formatOf(name: string, defaults: Defaults): Format | null {
  const [, , text, compression] = NAME.exec(name) ?? [];
  const format = text === undefined ? defaults.format : text === 'csv' ? 'csv' : 'jsonl';
  if (format === undefined) return null;
  return {
    text: format,
    compression: compression === undefined ? (defaults.compression ?? 'none') : compression === 'gz' ? 'gzip' : 'zstd',
  };
}

/** `2026/orders.csv.gz` is called `2026/orders` where no ends are wanted. */
export function withoutEnds(name: string): string {
  return NAME.exec(name)?.[1] || name;
}

/** A name that says its format: what the target adds to one that does not. */
export function withEnds(name: string, { format = 'jsonl', compression = 'none' }: Defaults): string {
  const [, , text, packed] = NAME.exec(name) ?? [];
  if (text !== undefined || packed !== undefined) return name;
  return `${name}.${format}${compression === 'none' ? '' : compression === 'gzip' ? '.gz' : '.zst'}`;
}
