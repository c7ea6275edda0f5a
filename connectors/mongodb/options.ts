import { TrueupError, duration, z } from '../../src/sdk.ts';

/** What a field can be declared as. */
export const DECLARABLE = [
  'bool',
  'int32',
  'int64',
  'float64',
  'decimal',
  'text',
  'bytes',
  'uuid',
  'objectId',
  'timestamptz',
  'json',
  'variant',
] as const;

const collection = z.strictObject({
  documents: z
    .enum(['fields', 'whole'])
    .optional()
    .describe('How documents of this collection travel; default: what `documents` of the connection says.'),
  fields: z
    .record(z.string().min(1), z.enum(DECLARABLE))
    .default({})
    .describe(
      'Types of fields by path (`customer.name: text`), for what samples cannot tell. A value of another type is converted where that is exact, else the document is a dead letter. ' +
        '`json` takes sub-documents, arrays and values as JSON, `variant` any value with its own type, sub-documents included.',
    ),
});

export const options = z.strictObject({
  url: z
    .string()
    .describe('mongodb://user:password@host:port,…/database?replicaSet=… or mongodb+srv://…; TLS and authentication as its query says.')
    .meta({ secret: true }),
  database: z.string().min(1).optional().describe('Database; default: the one that the URL names.'),
  identity: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A name for the data, where the role may not read the id of the replica set (clusterMonitor). A checkpoint is never resumed under another one.',
    ),
  readPreference: z
    .enum(['primary', 'primaryPreferred', 'secondary', 'secondaryPreferred', 'nearest'])
    .default('primary')
    .describe('Which members are read from. A secondary may lag: what it has not got yet counts as committed late.'),
  readConcern: z
    .enum(['majority', 'local', 'available'])
    .default('majority')
    .describe('Below majority a read may see writes that a failover then takes back.'),
  connectTimeout: duration('4s', 'How long a connection may take to be made, and a member to be found.'),
  statementTimeout: duration('0ms', 'How long one command may run on the server; 0ms: no limit.'),
  documents: z
    .enum(['fields', 'whole'])
    .default('fields')
    .describe(
      '`fields`: one field per path that the samples hold, what is not listed travels in a last field `*`. `whole`: `_id` and everything else in `*`, the order of names kept.',
    ),
  sample: z
    .int()
    .min(10)
    .max(100_000)
    .default(1000)
    .describe('How many documents of a collection are looked at to find its fields and their types.'),
  json: z
    .enum(['document', 'text'])
    .default('document')
    .describe(
      'How a target holds fields of type json: `document`: as sub-documents, arrays and values; `text`: as a string, to the letter. Keys are text always.',
    ),
  collections: z.record(z.string().min(1), collection).default({}).describe('What holds for single collections, by name.'),
  postImages: z
    .boolean()
    .default(false)
    .describe(
      'What `changes: {by: log}` delivers after an update. false: the document as it is when the batch is written, all of a batch looked up in one query. true: as it was right after the update, ' +
        'of collections that keep images (`changeStreamPreAndPostImages`, MongoDB 6.0 and later); of others, and where an image has expired, as with false.',
    ),
  maxSnapshot: duration('4m', 'How long one snapshot is read from before the next is taken; servers keep them for 5 minutes by default.'),
});

export type MongoOptions = z.output<typeof options>;

/** Where to connect; `address` is what may be shown. */
export interface MongoAddress {
  readonly url: string;
  readonly database: string;
  /** `host:port,…/database`. */
  readonly address: string;
}

/** @throws {TrueupError} `E_CONFIG_INVALID` for a URL that is none, or no database; the message never repeats the URL */
export function resolveAddress({ url, database }: MongoOptions): MongoAddress {
  const parts = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?@]+)(?:\/([^?]*))?(?:\?|$)/.exec(url);
  if (parts === null)
    throw new TrueupError(
      'E_CONFIG_INVALID',
      'The `url` of a mongodb connection is not a URL of the form mongodb://user:password@host:port/database. Special characters in it are written as %XX.',
    );
  const named = database ?? decodeURIComponent(parts[2] ?? '');
  if (named === '')
    throw new TrueupError(
      'E_CONFIG_INVALID',
      'A mongodb connection needs a database: name one with `database`, or in the URL after the host.',
    );
  return { url, database: named, address: `${parts[1]}/${named}` };
}
