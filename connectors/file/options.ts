import { TrueupError, parseType, z } from '../../src/sdk.ts';
import type { LogicalType } from '../../src/sdk.ts';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

const type = z.string().refine((text) => parseType(text) !== null, 'a type such as int64, decimal, text, date, timestamptz or list<text>');

const single = (description: string) =>
  z
    .string()
    .refine((text) => Buffer.byteLength(text) === 1 && !/[\r\n]/.test(text), 'one ASCII character')
    .describe(description);

const stream = z.strictObject({
  files: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The files of the stream: a path or a glob under `path`, such as `orders-*.csv.gz`. Default: the file that the stream is named after.',
    ),
  key: z.array(z.string().min(1)).min(1).optional().describe('Fields that tell the records apart; a job may name others.'),
  fields: z
    .record(z.string().min(1), type)
    .default({})
    .describe(
      'Types of fields (`total: decimal`). Others are known from samples as int64, decimal, bool or text, in JSON lines as json too; dates and times have to be declared.',
    ),
  op: z
    .string()
    .min(1)
    .optional()
    .describe(
      'The field that says what happened to the record: `upsert` (or `insert`, `update`, nothing) or `delete`. Default: `op` of the connection.',
    ),
});

export const options = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe('A folder, or one file; `-` for stdin as a source and stdout as a target. Relative to the folder of the config.'),
  format: z
    .enum(['csv', 'jsonl'])
    .optional()
    .describe('Format of files whose name does not say (.csv, .jsonl, .ndjson), of stdin and stdout, and of new files. Default: jsonl.'),
  compression: z
    .enum(['none', 'gzip', 'zstd'])
    .optional()
    .describe('Compression where the name does not say (.gz, .zst), and of new files. Default: none.'),
  delimiter: single('What stands between the cells of CSV.').default(','),
  quote: z
    .string()
    .refine((text) => text === '' || (Buffer.byteLength(text) === 1 && !/[\r\n]/.test(text)), 'one ASCII character, or nothing')
    .default('"')
    .describe('What CSV cells are quoted with, twice for itself inside. Empty: nothing is a quote.'),
  header: z
    .union([z.literal(true), z.array(z.string().min(1)).min(1)])
    .default(true)
    .describe('`true`: the first line of CSV names the columns. A list: it has no such line, and these are the names.'),
  closed: z
    .boolean()
    .default(false)
    .describe(
      'Whether a last line without a line end is complete. Else it is waited for. Compressed files and stdin are always taken as complete.',
    ),
  op: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A field that says what happened to the record. A target writes `upsert` or `delete` into it; without one it cannot write deletes.',
    ),
  streams: z
    .record(z.string().min(1), stream)
    .default({})
    .describe('What holds for single streams, by name; and streams of several files.'),
  sample: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(1000)
    .describe('How many records are looked at, at either end of the files, to find fields and types.'),
  identity: z
    .string()
    .min(1)
    .optional()
    .describe('A name for the data, kept when the folder moves. Default: its path. A checkpoint is never resumed under another one.'),
  poll: z
    .string()
    .regex(/^\d+(ms|s|m|h)$/, 'a duration such as 500ms, 30s or 5m')
    .default('1s')
    .transform((text) => {
      const [, amount, unit] = /^(\d+)(\w+)$/.exec(text) as unknown as [string, string, string];
      return Math.max(10, Number(amount) * (UNIT_MS[unit] as number));
    })
    .describe('How often `--follow` looks for new lines and files.'),
});

export type FileOptions = z.output<typeof options>;

/** @throws {TrueupError} `E_CONFIG_INVALID` for a delimiter that is the quote */
export function checkOptions(given: FileOptions): FileOptions {
  if (given.delimiter !== given.quote) return given;
  throw new TrueupError('E_CONFIG_INVALID', `\`delimiter\` and \`quote\` of a file connection are both ${JSON.stringify(given.quote)}.`);
}

export function declaredType(text: string): LogicalType {
  return parseType(text) ?? 'text';
}
