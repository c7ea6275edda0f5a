import type { Client } from 'pg';
import { TrueupError, isTrueupError } from '../../../src/sdk.ts';
import type { ConnectorContext } from '../../../src/sdk.ts';
import { sendCancel } from './cancel.ts';
import { postgresFault } from './faults.ts';
import { resolveAddress } from '../options.ts';
import type { PostgresOptions, ServerAddress } from '../options.ts';
import { watchSilence } from './silence.ts';
import { createSlabs } from '../copy/slabs.ts';
import type { Slabs } from '../copy/slabs.ts';
import { OwnSocket } from './socket.ts';
import { spareSession } from './spare.ts';
import type { SpareSession } from './spare.ts';

/** One row as the server's own text; NULL is null. */
export type TextRow = readonly (string | null)[];

/** Everything that opening a session needs to know of a connection. */
export interface Server {
  readonly where: ServerAddress;
  readonly options: PostgresOptions;
  readonly context: ConnectorContext;
  readonly spare: SpareSession<Session>;
  readonly slabs: Slabs;
}

export function resolveServer(options: PostgresOptions, context: ConnectorContext): Server {
  return { where: resolveAddress(options), options, context, spare: spareSession(), slabs: createSlabs() };
}

export interface Session {
  /** Shared with all sessions of the connection. */
  readonly slabs: Slabs;
  /** For COPY, inside `run`. Its own type parsers are never used. */
  readonly client: Client;
  /** Process id of the backend. */
  readonly pid: number;
  /** Whether neither side has ended it, as far as is known. */
  readonly isOpen: boolean;
  /** Rows of one statement as text, columns in order. Throws faults of the right class. */
  query(text: string, values?: readonly (string | null)[]): Promise<TextRow[]>;
  /** The number of rows that one statement touched. */
  execute(text: string, values?: readonly (string | null)[]): Promise<number>;
  /**
   * Does `work` on the session, any fault of it turned into a TrueupError. When `signal` aborts, the statement is cancelled on the server,
   * the session is gone for good and the signal's reason is thrown.
   */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
  /** Watches `signal` until the returned function is called: what `run` does, for work that is spread over several calls. */
  watch(signal: AbortSignal): () => void;
  /** Anything thrown while the session was in use as what should be thrown instead: the reason of the abort, or a fault. */
  fault(error: unknown): unknown;
  /** Ends the session. Harmless when called twice, or after an abort. */
  close(): Promise<void>;
  /** Cuts the connection at once and cancels what runs. */
  destroy(): void;
}

/** So that text means the same on every server, whatever its role or database are set to. */
const SETTINGS = [
  `set client_encoding to 'UTF8'`,
  `set timezone to 'UTC'`,
  `set datestyle to 'ISO, YMD'`,
  `set intervalstyle to 'iso_8601'`,
  `set extra_float_digits to 3`,
  `set bytea_output to 'hex'`,
  `set xmloption to 'content'`,
  `set standard_conforming_strings to on`,
  `set quote_all_identifiers to off`,
];

/** A connection that died between two statements is noticed within about 20 s: first probe after this, then one a second. */
const KEEPALIVE_MS = 10_000;
const CLOSE_MS = 2000;

export interface OpenSession {
  /** `read`: every transaction is READ ONLY by default. `log`: a connection for replication, which takes no values beside a statement. */
  readonly purpose: 'read' | 'write' | 'log';
  /** Aborts the opening; later work brings its own signal. */
  readonly signal: AbortSignal;
}

/** The one place that opens connections. @throws {TrueupError} `E_UNREACHABLE`, `E_ACCESS`, `E_BUSY`, or the signal's reason. */
export async function openSession(server: Server, { purpose, signal }: OpenSession): Promise<Session> {
  signal.throwIfAborted();
  const { default: pg } = await import('pg');
  const { where, options, context } = server;
  const client = new pg.Client({
    host: where.host,
    port: where.port,
    user: where.user,
    password: where.password,
    database: where.database,
    ssl: where.ssl as boolean,
    // With TLS another socket stands between, which reads in its own way.
    ...(where.ssl === false && purpose !== 'log' ? { stream: () => new OwnSocket() } : {}),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEPALIVE_MS,
    connectionTimeoutMillis: options.connectTimeout,
    types: { getTypeParser: () => (text: string) => text } as never,
    application_name: applicationName(context),
    ...(purpose === 'log' ? { replication: 'database' } : {}),
  });
  const session = sessionOf(client, server);
  const unwatch = session.watch(signal);
  try {
    await connect(client, where);
    await session.query(
      [...SETTINGS, ...limits(options), ...(purpose === 'read' ? ['set default_transaction_read_only to on'] : [])].join('; '),
    );
    return session;
  } catch (error) {
    session.destroy();
    throw session.fault(error);
  } finally {
    unwatch();
  }
}

function applicationName({ connection }: ConnectorContext): string {
  return `trueup/${connection}`.slice(0, 63);
}

async function connect(client: Client, where: ServerAddress): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    throw postgresFault(error, { address: where.address, connecting: true });
  }
}

function limits(options: PostgresOptions): string[] {
  return [
    `set statement_timeout to ${options.statementTimeout}`,
    `set lock_timeout to ${options.lockTimeout}`,
    'set idle_in_transaction_session_timeout to 0',
  ];
}

/** Short reads, one after another on the same session where that is possible. */
export async function withReading<T>(server: Server, signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const spare = server.spare.take();
  if (spare !== null) {
    try {
      const result = await spare.run(signal, () => work(spare));
      await server.spare.give(spare);
      return result;
    } catch (error) {
      await spare.close();
      // It may have died while nobody used it.
      if (!isTrueupError(error) || error.code !== 'E_CONNECTION_LOST') throw error;
    }
  }
  const session = await openSession(server, { purpose: 'read', signal });
  try {
    const result = await session.run(signal, () => work(session));
    await server.spare.give(session);
    return result;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Opens a session for `work` alone. */
export async function withSession<T>(server: Server, open: OpenSession, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await openSession(server, open);
  try {
    return await session.run(open.signal, () => work(session));
  } finally {
    await session.close();
  }
}

/** Whether a backend is still there, asked on a connection of its own. A server that is merely full counts as one where it is. */
async function hasBackend(server: Server, pid: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(2 * server.options.connectTimeout);
    return await withSession(server, { purpose: 'read', signal }, async (session) => {
      const rows = await session.query('select from pg_catalog.pg_stat_activity where pid = $1', [String(pid)]);
      return rows.length > 0;
    });
  } catch (error) {
    return isTrueupError(error) && error.code === 'E_BUSY';
  }
}

function sessionOf(client: Client, server: Server): Session {
  const { where } = server;
  let abortedBy: AbortSignal | null = null;
  let lost: TrueupError | null = null;
  /** What waits for the server just now. */
  let waiting = 0;
  let state: 'open' | 'closed' = 'open';
  let ended = false;
  client.once('end', () => (ended = true));
  client.on('error', () => undefined); // every statement in flight fails with it; without a listener it would end the process

  const destroy = () => {
    if (state === 'closed') return;
    state = 'closed';
    unwatchSilence();
    sendCancel(client, where);
    client.connection.stream.destroy();
  };
  const pid = () => (client as unknown as { readonly processID: number }).processID;
  const { stream } = client.connection as unknown as { readonly stream: { readonly bytesRead: number; readonly bytesWritten: number } };
  const unwatchSilence = watchSilence({
    bytes: () => stream.bytesRead + stream.bytesWritten,
    isBusy: () => waiting > 0 && typeof pid() === 'number',
    ask: () => hasBackend(server, pid()),
    onLost: () => {
      lost = new TrueupError(
        'E_CONNECTION_LOST',
        `${where.address} went silent in the middle of a statement, and its backend is gone or cannot be reached.`,
      );
      destroy();
    },
  });
  const watch = (signal: AbortSignal) => {
    waiting += 1;
    let watched = true;
    const abort = () => {
      abortedBy ??= signal;
      destroy();
    };
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    return () => {
      signal.removeEventListener('abort', abort);
      if (watched) waiting -= 1;
      watched = false;
    };
  };
  const fault = (error: unknown): unknown =>
    abortedBy === null ? (lost ?? postgresFault(error, { address: where.address })) : abortedBy.reason;
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    waiting += 1;
    try {
      return await work();
    } catch (error) {
      throw fault(error);
    } finally {
      waiting -= 1;
    }
  };
  const send = (text: string, values: readonly (string | null)[]) =>
    guarded(() => client.query<(string | null)[]>({ text, rowMode: 'array', ...(values.length > 0 ? { values: [...values] } : {}) }));

  return {
    slabs: server.slabs,
    client,
    get pid() {
      return pid();
    },
    get isOpen() {
      return state === 'open' && !ended;
    },
    query: async (text, values = []) => (await send(text, values)).rows,
    execute: async (text, values = []) => (await send(text, values)).rowCount ?? 0,
    run: async (signal, work) => {
      const unwatch = watch(signal);
      try {
        if (abortedBy !== null) throw abortedBy.reason;
        return await guarded(work);
      } finally {
        unwatch();
      }
    },
    watch,
    fault,
    close: async () => {
      if (state === 'closed') return;
      state = 'closed';
      unwatchSilence();
      await endWithin(client, CLOSE_MS);
    },
    destroy,
  };
}

/** Says goodbye to the server, and cuts the connection when it does not answer in time. */
async function endWithin(client: Client, ms: number): Promise<void> {
  const timer = setTimeout(() => client.connection.stream.destroy(), ms);
  try {
    await client.end();
  } catch {
    client.connection.stream.destroy();
  } finally {
    clearTimeout(timer);
  }
}
