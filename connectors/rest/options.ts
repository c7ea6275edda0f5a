import { bytes, duration, parseType, z } from '../../src/sdk.ts';
import { auth } from './auth-options.ts';
import { httpUrl } from './http-url.ts';

/** Names joined by dots, a dot inside a name as `\\.`, or a JSON pointer. */
const path = (description: string) => z.string().describe(description);

const param = z.string().min(1).describe('Parameter that says which page: of the query, or with `in: body` its path in the body.');
const into = z.enum(['query', 'body']).default('query').describe('Where the parameter goes.');
const max = z.int().min(1).default(100_000).describe('Most pages of one read; with more it fails.');
const more = path('Where the answer says whether there are more pages: true or false.').optional();

const pages = z.discriminatedUnion('by', [
  z
    .strictObject({
      by: z.literal('cursor').describe('How the next page is found.'),
      param,
      in: into,
      next: path('Where the answer has the cursor of the next page; null, empty or absent after the last.'),
      more,
      max,
    })
    .describe('Each answer holds a cursor, which the next request sends back.'),
  z
    .strictObject({
      by: z.literal('next').describe('How the next page is found.'),
      next: path('Where the answer has the address of the next page; null, empty or absent after the last.'),
      max,
    })
    .describe('Each answer holds the address of the next page.'),
  z
    .strictObject({ by: z.literal('link').describe('How the next page is found.'), max })
    .describe('Each answer has a Link header with rel="next", as at GitHub.'),
  z
    .strictObject({
      by: z.literal('page').describe('How the next page is found.'),
      param,
      in: into,
      first: z.int().min(0).default(1).describe('Number of the first page.'),
      size: z
        .strictObject({
          param: z.string().min(1).describe('Parameter for the page size.'),
          value: z.int().min(1).describe('Records a page.'),
        })
        .optional()
        .describe('The page size, where it is to be asked for.'),
      more,
      max,
    })
    .describe('Pages are numbered; the first empty one is the end.'),
  z
    .strictObject({
      by: z.literal('offset').describe('How the next page is found.'),
      param,
      in: into,
      size: z
        .strictObject({
          param: z.string().min(1).describe('Parameter for the page size.'),
          value: z.int().min(2).describe('Records a page.'),
        })
        .describe('The page size.'),
      more,
      max,
    })
    .describe(
      'Pages begin at a number of records; each begins with the last record of the one before, to notice what moved meanwhile. The first without a new record is the end.',
    ),
  z
    .strictObject({
      by: z.literal('keyset').describe('How the next page is found.'),
      param,
      in: into,
      field: path('Field of the last record whose value the next request sends; records come in its order, and each value stands once.'),
      more,
      max,
    })
    .describe('The next page begins after a value of the last record; the first empty page is the end.'),
]);

const typeName = z
  .string()
  .refine((text) => parseType(text) !== null, 'must be a type such as int64, decimal, text, timestamptz, bool, json or list<text>')
  .describe('Logical type.');

const field = z.union([
  typeName,
  z.strictObject({
    type: typeName,
    from: path('Where the record holds it; default: under the name of the field.').optional(),
    parent: z.string().min(1).optional().describe('A field of the parent record to take it from instead.'),
  }),
]);

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const endpoint = z.string().regex(/^\//, 'must begin with /');

const write = z
  .strictObject({
    method: z
      .enum(['PUT', 'PATCH', 'POST'])
      .default('PUT')
      .describe('PUT and PATCH are sent again after a fault. POST as well, with an idempotency key: the API must know it.'),
    path: endpoint.describe('Endpoint; `{field}` takes a field of the record, encoded; with `batch` there is none.'),
    batch: z
      .strictObject({
        size: z.int().min(1).max(10_000).describe('Most records of one request.'),
        path: path('Where the array of records stands in the body; default: the body is the array.').default(''),
      })
      .optional()
      .describe('Several records in one request, as an array.'),
    body: path('Where a single record stands in the body; default: the body is the record.').default(''),
    idempotencyHeader: z
      .string()
      .regex(/^[A-Za-z0-9-]+$/)
      .default('Idempotency-Key')
      .describe('Header of a POST with a key that is the same whenever a job writes the same content for the same keys.'),
    conflict: z
      .enum(['letter', 'retry', 'superseded'])
      .default('letter')
      .describe('What 409 and 412 for a record mean: a dead letter, a fault that passes, or that the API holds something newer.'),
  })
  .describe('How records are written.');

const remove = z
  .strictObject({
    path: endpoint.describe('Endpoint of one record; `{field}` takes a field of its key, encoded. 404 and 410 mean that it was not there.'),
  })
  .describe('How records are deleted, by DELETE. Absent: they cannot be.');

export const stream = z.strictObject({
  path: endpoint.describe('Endpoint under the address of the connection; `{field}` takes a field of the parent record, encoded.'),
  method: z.enum(['GET', 'POST']).default('GET').describe('POST for search endpoints and GraphQL.'),
  query: z.record(z.string(), scalar).default({}).describe('Parameters of every request.'),
  headers: z.record(z.string(), z.string()).default({}).describe('Headers of every request.'),
  body: z
    .unknown()
    .optional()
    .describe('JSON body of a POST; a string in it that is `{field}` and nothing else takes a field of the parent record.'),
  format: z.enum(['json', 'ndjson']).default('json').describe('One JSON document, or one record a line.'),
  records: path(
    'Where the answer has the array of records, or a single one: a path (`data.items`, a dot inside a name is `\\.`) or a JSON pointer (`/data/items`), as all such places.',
  ).default(''),
  errors: path(
    'Where an answer of status 200 tells of errors (GraphQL: `errors`); anything there but null and an empty array is a failure.',
  ).optional(),
  key: z.array(z.string().min(1)).default([]).describe('Fields that tell records apart.'),
  fields: z
    .record(z.string().min(1), field)
    .optional()
    .describe('Fields and their types. Default: what the first records hold; every number keeps its digits.'),
  pages: pages.optional().describe('How to come to the next page. Default: there is one.'),
  changes: z
    .strictObject({
      param: z.string().min(1).describe('Parameter that asks for records whose `field` is at or after its value.'),
      in: into,
      field: z.string().min(1).describe('Field that grows with every change of a record.'),
    })
    .optional()
    .describe('What `changes: { by: cursor, field: … }` of a job sends. Without it everything is read in every run.'),
  parent: z
    .strictObject({ stream: z.string().min(1).describe('Stream of the same connection.') })
    .optional()
    .describe('The stream is read once for each record of another.'),
  get: z
    .strictObject({
      path: endpoint.describe(
        'Endpoint of one record; `{field}` takes a field of its key, encoded. 404 and 410 mean that it is not there.',
      ),
      record: path('Where the answer has the record.').default(''),
    })
    .optional()
    .describe('How one record is looked up. Without it all pages are read to find it.'),
  upsert: write.optional(),
  delete: remove.optional(),
});

export const options = z.strictObject({
  url: httpUrl('Address that the paths of streams are joined to: https://api.example/v1').meta({ secret: false }),
  identity: z
    .string()
    .min(1)
    .optional()
    .describe('A name for the data (an account, a workspace); default: the address. A checkpoint is never resumed under another one.'),
  auth: auth.optional(),
  headers: z.record(z.string(), z.string()).default({}).describe('Headers of every request. Credentials belong under `auth`.'),
  timeouts: z
    .strictObject({
      connect: duration('10s', 'How long a connection may take to be made.'),
      headers: duration('30s', 'How long an answer may take to begin.'),
      idle: duration('30s', 'How long an answer may pause.'),
    })
    .prefault({})
    .describe('How long to wait.'),
  maxBodyBytes: bytes('1GiB', 'Most bytes of one answer. Records are read as they arrive, so that a large answer needs little memory.'),
  poll: duration('10s', 'How long `--follow` waits before it asks again.'),
  sample: z
    .int()
    .min(1)
    .max(10_000)
    .default(200)
    .describe('How many records are looked at to find the fields of a stream without `fields`.'),
  lookups: z
    .int()
    .min(1)
    .max(64)
    .default(8)
    .describe('How many records are looked up or written at a time, within the limits of the connection.'),
  streams: z.record(z.string().min(1), stream).default({}).describe('Endpoints, by the name that jobs use.'),
});

export type RestOptions = z.output<typeof options>;
export type RestStream = z.output<typeof stream>;
export type Pages = z.output<typeof pages>;
