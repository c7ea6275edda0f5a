import { TrueupError, duration, z } from '../../src/sdk.ts';

const tls = z
  .strictObject({
    ca: z.string().optional().describe('Certificate of the authority that signed the server, PEM.'),
    cert: z.string().optional().describe('Certificate of this client, PEM.'),
    key: z.string().optional().describe('Private key of this client, PEM.').meta({ secret: true }),
    rejectUnauthorized: z.boolean().default(true).describe('Whether a certificate that cannot be verified refuses the connection.'),
  })
  .describe('TLS with these certificates.');

export const options = z.strictObject({
  url: z
    .string()
    .optional()
    .describe(
      'postgres://user:password@host:port/database. Either this or the single members below; a member wins over its part of the URL.',
    )
    .meta({ secret: true }),
  host: z.string().optional().describe('Host name, address, or the folder of a Unix socket.'),
  port: z.int().min(1).max(65_535).optional().describe('Port; 5432 when neither this nor the URL names one.'),
  user: z.string().optional().describe('Role to log in as.'),
  password: z.string().optional().describe('Its password.').meta({ secret: true }),
  database: z.string().optional().describe('Database to connect to.'),
  ssl: z
    .union([z.boolean(), tls])
    .optional()
    .describe('TLS: true verifies the server, false forbids TLS; default: what the URL says with sslmode.'),
  schema: z.string().min(1).default('public').describe('Schema of streams and targets that name none.'),
  connectTimeout: duration('4s', 'How long a connection may take to be made, TLS and password included.'),
  statementTimeout: duration('0ms', 'How long one statement may take; 0ms: no limit. A read may rightly take as long as its target needs.'),
  lockTimeout: duration('1m', 'How long a statement may wait for a lock.'),
  fence: z
    .strictObject({
      maxWait: duration(
        '60s',
        'How long a continuous run waits for open transactions before it names the one that blocks and reads on without waiting.',
      ),
      margin: duration('1s', 'How far a fence stands before the clock of the database.'),
      maxSnapshot: duration('5m', 'How long one snapshot may be held, since it keeps VACUUM from its work.'),
    })
    .prefault({})
    .describe('How late commits are waited for.'),
  heartbeat: duration(
    '0ms',
    'How often a run that follows the log writes a small message into it, so that delays are measured and the slot moves on where nothing else is written; 0ms: never. It takes no privilege and no table.',
  ),
  log: z
    .strictObject({
      publication: z
        .string()
        .min(1)
        .max(63)
        .optional()
        .describe('Publication that tells which tables are read; default: one of the name of the job.'),
      slot: z
        .string()
        .regex(/^[a-z0-9_]{1,63}$/, 'up to 63 characters of a-z, 0-9 and _')
        .optional()
        .describe(
          'Replication slot that holds the log back until it is read; default: one of the name of the job. Two jobs cannot share one.',
        ),
      failover: z
        .boolean()
        .default(false)
        .describe(
          'Whether standbys keep a copy of the slot, so that the log can be read on after a failover (PostgreSQL 17 and later, standbys with sync_replication_slots). It counts when the slot is made.',
        ),
      slotTimeout: duration('1m', 'How long to wait for the transactions that are open when a slot is made or a table is added.'),
    })
    .prefault({})
    .describe('How `changes: { by: log }` reads the log: logical replication with the plugin pgoutput.'),
});

export type PostgresOptions = z.output<typeof options>;

/** Where to connect and as whom, as `pg` takes it; `address` is what may be shown. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  readonly ssl:
    | boolean
    | {
        readonly ca?: string;
        readonly cert?: string;
        readonly key?: string;
        readonly rejectUnauthorized?: boolean;
        readonly checkServerIdentity?: () => undefined;
      };
  /** `host:port/database`. */
  readonly address: string;
}

/** @throws {TrueupError} `E_CONFIG_INVALID` for a URL that is none; the message never repeats it. */
export function resolveAddress(given: PostgresOptions): ServerAddress {
  const url = given.url === undefined ? null : parseUrl(given.url);
  const part = (text: string | null | undefined) => (text ? decodeURIComponent(text) : undefined);
  const host =
    given.host ??
    part(url?.searchParams.get('host')) ??
    part(url?.hostname.replace(/^\[|\]$/g, '')) ??
    process.env['PGHOST'] ??
    'localhost';
  const port = given.port ?? Number(url?.port || url?.searchParams.get('port') || process.env['PGPORT'] || 5432);
  const user = given.user ?? part(url?.username) ?? process.env['PGUSER'];
  const database = given.database ?? part(url?.pathname.slice(1)) ?? process.env['PGDATABASE'] ?? user;
  const password = given.password ?? part(url?.password) ?? process.env['PGPASSWORD'];
  const ssl =
    given.ssl === undefined
      ? urlTls(url?.searchParams.get('sslmode') ?? null)
      : typeof given.ssl === 'boolean'
        ? given.ssl
        : withoutUndefined(given.ssl);
  return { host, port, user, password, database, ssl, address: `${host}:${port}/${database ?? ''}` };
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new TrueupError(
      'E_CONFIG_INVALID',
      'The `url` of a postgres connection is not a URL of the form postgres://user:password@host:port/database. Special characters in it are written as %XX.',
    );
  }
  return url;
}

/** libpq's modes. `prefer` and `allow` would fall back silently, so without a mode there is no TLS, and with `require` the server is not verified, as in libpq. */
function urlTls(mode: string | null): ServerAddress['ssl'] {
  switch (mode) {
    case null:
    case 'disable':
    case 'allow':
    case 'prefer':
      return false;
    case 'require':
    case 'no-verify':
      return { rejectUnauthorized: false };
    case 'verify-ca':
      return { rejectUnauthorized: true, checkServerIdentity: () => undefined };
    case 'verify-full':
      return true;
    default:
      throw new TrueupError('E_CONFIG_INVALID', `sslmode '${mode}' is not known. Known: disable, prefer, require, verify-ca, verify-full.`);
  }
}

function withoutUndefined<T extends object>(value: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as never;
}
