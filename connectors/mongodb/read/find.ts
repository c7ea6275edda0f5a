import type { ClientSession, Document } from 'mongodb';
import { groupOf } from './documents.ts';
import type { DocumentGroup } from './documents.ts';
import type { Session } from '../session.ts';

/** A query that is being read. */
export interface OpenFind {
  /** What the server sends next; `null`: there is no more. */
  next(): Promise<DocumentGroup | null>;
  close(): Promise<void>;
}

export interface Find {
  readonly session: Session;
  readonly collection: string;
  /** Members of the command `find`, without its name. */
  readonly options: Document & { readonly batchSize: number };
  /** `null`: any. */
  readonly own: ClientSession | null;
  readonly signal: AbortSignal;
}

/** How long the server may take to be told that a query is not needed any more (ms). */
const CLOSE_MS = 1000;

/**
 * By the commands themselves: the driver's cursor makes several objects of each document, and of each of its fields, before it hands out the bytes. For servers where
 * every command goes to the same member, on which the cursor lives: a primary.
 */
export async function findByCommands({ session, collection, options, own, signal }: Find): Promise<OpenFind> {
  // All commands of one cursor belong to one session.
  const used = own ?? (await session.run(signal, (_db, client) => Promise.resolve(client.startSession({ causalConsistency: false }))));
  let cursor: bigint | null = null;
  // Not `raw` as a whole: the driver would take what is raw in the server's errors for what it keeps in mind of the server.
  const ask = async (command: Document): Promise<Answer> => {
    const how = { session: used, fieldsAsRaw: DOCUMENTS, signal, readPreference: 'primary' } as object;
    return (await session.run(signal, (db) => db.command(command, how)))['cursor'] as Answer;
  };

  return {
    next: async () => {
      while (cursor !== 0n) {
        const { id, firstBatch, nextBatch } = await ask(
          cursor === null ? { find: collection, ...options } : { getMore: cursor, collection, batchSize: options.batchSize },
        );
        cursor = BigInt(id);
        const documents = firstBatch ?? nextBatch ?? [];
        if (documents.length > 0) return groupOf(documents);
      }
      return null;
    },
    close: async () => {
      const id = cursor ?? 0n;
      cursor = 0n;
      if (id !== 0n) {
        const ending = AbortSignal.timeout(CLOSE_MS);
        // In no session: of one that reads a snapshot the driver says so in every command, and this one does not take it.
        await session.run(ending, (db) => db.command({ killCursors: collection, cursors: [id] })).catch(() => undefined);
      }
      if (own === null) await used.endSession().catch(() => undefined);
    },
  };
}

/** Fields of an answer whose members stay bytes. */
const DOCUMENTS = { firstBatch: true, nextBatch: true };

interface Answer {
  readonly id: bigint | number;
  readonly firstBatch?: readonly Uint8Array[];
  readonly nextBatch?: readonly Uint8Array[];
}

/** By the driver's cursor, which stays with the member that it was opened on. */
export async function findByCursor({ session, collection, options, own, signal }: Find): Promise<OpenFind> {
  const { filter, ...others } = options;
  const cursor = await session.run(signal, (db) =>
    Promise.resolve(
      db.collection(collection).find(filter as Document, { ...others, raw: true, signal, ...(own === null ? {} : { session: own }) }),
    ),
  );
  return {
    next: async () => {
      if (!(await session.run(signal, () => cursor.hasNext()))) return null;
      return groupOf(cursor.readBufferedDocuments() as unknown as Uint8Array[]);
    },
    close: () => cursor.close().catch(() => undefined),
  };
}
