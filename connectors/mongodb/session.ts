import type { Db, MongoClient } from 'mongodb';
import { TrueupError } from '../../src/sdk.ts';
import type { ConnectorContext } from '../../src/sdk.ts';
import { mongoFault } from './faults.ts';
import { clusterTimeOf } from './log/cluster-time.ts';
import type { ClusterTime } from './log/cluster-time.ts';
import { resolveAddress } from './options.ts';
import type { MongoAddress, MongoOptions } from './options.ts';

/** What the server says of itself. */
export interface ServerFacts {
  /** `set`: a replica set. */
  readonly kind: 'set' | 'sharded' | 'standalone';
  readonly setName: string | null;
  /** Its clock, ms since 1970. */
  readonly clockMs: number;
  /** The last write that the primary has applied; `null`: the server has no such clock. */
  readonly applied: ClusterTime | null;
  /** The latest time that the server has heard of. */
  readonly heardOf: ClusterTime | null;
  readonly wireVersion: number;
  /** Whether reads can be made at one point in time: replica sets and clusters from MongoDB 5.0 on. */
  readonly snapshots: boolean;
  /** Of replica sets and clusters. */
  readonly transactions: boolean;
}

/** One client per opened source or target, made on first use. It pools its connections. */
export interface Session {
  readonly where: MongoAddress;
  readonly options: MongoOptions;
  readonly context: ConnectorContext;
  /**
   * Does `work` on the database, any fault of it turned into a TrueupError; when `signal` aborts, its reason is thrown. Pass the signal on to the driver's calls: it ends
   * the wait on the wire.
   */
  run<T>(signal: AbortSignal, work: (db: Db, client: MongoClient) => Promise<T>): Promise<T>;
  /** Anything thrown by the driver as what should be thrown instead. */
  fault(error: unknown, signal: AbortSignal): unknown;
  facts(signal: AbortSignal): Promise<ServerFacts>;
  /** Harmless when called twice, or before anything was opened. */
  close(): Promise<void>;
}

/** Snapshots need wire version 13 (MongoDB 5.0). */
const SNAPSHOT_WIRE = 13;
/** A server that went silent is noticed by its monitor within this and `connectTimeout`; all that waits for it then fails. */
const HEARTBEAT_MS = 5000;

export function openSession(options: MongoOptions, context: ConnectorContext): Session {
  const where = resolveAddress(options);
  let opening: Promise<MongoClient> | null = null;
  let closed = false;

  const client = async (signal: AbortSignal): Promise<MongoClient> => {
    if (closed) throw new TrueupError('E_BUG', `The connection to ${where.address} was closed before it was used.`);
    opening ??= openClient(where, options, context);
    try {
      return await unlessAborted(opening, signal);
    } catch (error) {
      if (!signal.aborted) opening = null; // the next use tries again
      throw error;
    }
  };
  const fault = (error: unknown, signal: AbortSignal): unknown =>
    signal.aborted ? signal.reason : mongoFault(error, { address: where.address });
  const run: Session['run'] = async (signal, work) => {
    signal.throwIfAborted();
    try {
      const opened = await client(signal);
      return await unlessAborted(work(opened.db(where.database), opened), signal);
    } catch (error) {
      throw fault(error, signal);
    }
  };

  return {
    where,
    options,
    context,
    run,
    fault,
    facts: (signal) => run(signal, async (db) => factsOf(await db.admin().command({ hello: 1 }, { signal } as object))),
    close: async () => {
      closed = true;
      const opened = await opening?.catch(() => null);
      opening = null;
      await opened?.close();
    },
  };
}

async function openClient(where: MongoAddress, options: MongoOptions, context: ConnectorContext): Promise<MongoClient> {
  const { MongoClient: Client } = await import('./driver.ts');
  let made: MongoClient | null = null;
  try {
    made = new Client(where.url, {
      appName: `trueup/${context.connection}`,
      connectTimeoutMS: options.connectTimeout,
      serverSelectionTimeoutMS: options.connectTimeout,
      heartbeatFrequencyMS: HEARTBEAT_MS,
      // A monitor that streams ends the process (an uncaught TypeError) after an error in which the server counted its changes as an int64, which is a bigint here.
      serverMonitoringMode: 'poll',
      maxPoolSize: 20,
      readPreference: options.readPreference,
      readConcern: { level: options.readConcern },
      // The pipeline alone retries, from the last checkpoint.
      retryReads: false,
      retryWrites: false,
      useBigInt64: true,
      bsonRegExp: true,
      ignoreUndefined: false,
    });
    made.on('serverDescriptionChanged', forgetUnreadableVersion);
    return await made.connect();
  } catch (error) {
    await made?.close().catch(() => undefined);
    throw mongoFault(error, { address: where.address, connecting: true });
  }
}

/**
 * What an answer that is left as bytes says of a failing server's state is bytes as well. The driver keeps it to compare with later answers, which then ends in a
 * TypeError; with nothing kept, the next answer counts.
 */
function forgetUnreadableVersion({ newDescription }: { readonly newDescription: { topologyVersion: unknown } }): void {
  if (newDescription.topologyVersion instanceof Uint8Array) newDescription.topologyVersion = null;
}

function factsOf(hello: Readonly<Record<string, unknown>>): ServerFacts {
  const setName = typeof hello['setName'] === 'string' ? hello['setName'] : null;
  const kind = setName !== null ? 'set' : hello['msg'] === 'isdbgrid' ? 'sharded' : 'standalone';
  const clock = hello['localTime'];
  return {
    kind,
    setName,
    clockMs: clock instanceof Date ? clock.getTime() : Date.now(),
    applied: clusterTimeOf(hello['operationTime']),
    heardOf: clusterTimeOf((hello['$clusterTime'] as Readonly<Record<string, unknown>> | undefined)?.['clusterTime']),
    wireVersion: Number(hello['maxWireVersion']),
    snapshots: kind !== 'standalone' && Number(hello['maxWireVersion']) >= SNAPSHOT_WIRE,
    transactions: kind !== 'standalone',
  };
}

/** The result of `work`, or the signal's reason as soon as it aborts. The work is left to end by itself. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', abort, { once: true });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
