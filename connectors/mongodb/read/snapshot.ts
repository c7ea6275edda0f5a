import type { ClientSession, Document } from 'mongodb';
import { timestampOf } from '../log/cluster-time.ts';
import type { DocumentGroup } from './documents.ts';
import { findByCommands, findByCursor } from './find.ts';
import type { Find } from './find.ts';
import type { ServerFacts, Session } from '../session.ts';

/** What documents weigh that are sent at once. Larger groups are slower, and there are two of them for each feed. */
const GROUP_BYTES = 1024 * 1024;

export interface FindDocuments {
  readonly collection: string;
  readonly filter: Document;
  readonly sort: Document;
  readonly limit?: number;
  readonly projection?: Document;
  /** What a document weighs on average, in bytes: decides how many the server sends at once. */
  readonly weight?: number;
}

/** A point in time that several reads share, where the server has such; else each read sees what is there when it passes by. */
export interface Snapshot {
  readonly isPoint: boolean;
  /** The server's clock before it (ms since 1970). */
  readonly clockMs: number;
  /** Whether it has been held for as long as it may. */
  isOld(): boolean;
  /** Documents as the server sent them, in groups as they came. The next group is asked for while this one is worked on. */
  find(asked: FindDocuments): AsyncGenerator<DocumentGroup>;
  end(): Promise<void>;
}

export interface OpenSnapshot {
  readonly session: Session;
  readonly limits: { readonly batchRows: number; readonly batchBytes: number };
  readonly signal: AbortSignal;
  /** A collection that is read beside the log: everything that the primary has applied by now is seen. Otherwise what a majority has, which after a failover may be less than was seen before. */
  readonly logged?: string;
}

export async function openSnapshot({ session, limits, signal, logged }: OpenSnapshot): Promise<Snapshot> {
  const facts = await session.facts(signal);
  const own = await sessionFor(session, facts, signal, logged);
  const openedAt = performance.now();
  const onPrimary = facts.kind !== 'sharded' && session.options.readPreference === 'primary';
  return {
    isPoint: facts.snapshots,
    clockMs: facts.clockMs,
    isOld: () => performance.now() - openedAt > session.options.maxSnapshot,
    find: (asked) => readGroups({ session, limits, signal, own, isPoint: facts.snapshots, onPrimary }, asked),
    end: async () => {
      await own?.endSession().catch(() => undefined);
    },
  };
}

/** The session that reads are to be made in; `null`: any. */
async function sessionFor(
  session: Session,
  facts: ServerFacts,
  signal: AbortSignal,
  logged: string | undefined,
): Promise<ClientSession | null> {
  const applied = logged === undefined || facts.applied === null ? null : timestampOf(facts.applied);
  return session.run(signal, async (db, client) => {
    if (!facts.snapshots) {
      if (applied === null) return null;
      const causal = client.startSession({ causalConsistency: true });
      causal.advanceOperationTime(applied);
      return causal;
    }
    const point = client.startSession({ snapshot: true });
    if (applied === null) return point;
    // The first read of such a session chooses its time, which all later ones share.
    const readConcern = { level: 'snapshot', afterClusterTime: applied };
    await db.command({ find: logged, limit: 1, projection: { _id: 1 }, readConcern }, { session: point, signal } as object);
    return point;
  });
}

interface OpenReads extends OpenSnapshot {
  readonly own: ClientSession | null;
  readonly isPoint: boolean;
  /** Every command goes to the primary, or to the only server there is. */
  readonly onPrimary: boolean;
}

async function* readGroups(open: OpenReads, asked: FindDocuments): AsyncGenerator<DocumentGroup> {
  const { session, signal, own, onPrimary } = open;
  const find: Find = { session, signal, own, collection: asked.collection, options: findOptions(open, asked) };
  const cursor = await (onPrimary ? findByCommands(find) : findByCursor(find));
  let next: Promise<DocumentGroup | null> | null = null;
  try {
    next = cursor.next();
    for (;;) {
      const group: DocumentGroup | null = await next;
      if (group === null) return;
      next = cursor.next();
      // Whoever works on this one learns of a fault of the next when it asks for it.
      next.catch(() => undefined);
      yield group;
    }
  } catch (error) {
    throw session.fault(error, signal);
  } finally {
    await cursor.close();
  }
}

function findOptions(
  { session, isPoint, limits }: OpenReads,
  { filter, sort, limit, projection, weight = 1000 }: FindDocuments,
): Find['options'] {
  const { statementTimeout, readConcern } = session.options;
  return {
    filter,
    sort,
    batchSize: Math.max(1, Math.min(limits.batchRows, Math.floor(Math.min(limits.batchBytes, GROUP_BYTES) / weight))),
    allowDiskUse: true,
    ...(limit === undefined ? {} : { limit }),
    ...(projection === undefined ? {} : { projection }),
    ...(statementTimeout === 0 ? {} : { maxTimeMS: statementTimeout }),
    readConcern: { level: isPoint ? 'snapshot' : readConcern },
  };
}
