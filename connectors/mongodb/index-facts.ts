import type { Db, Document } from 'mongodb';
import type { StreamContext } from './stream-context.ts';

/** Whether documents may hold an array in the field (or on the way to it). `false` only where an index on the field says that none ever did. */
export async function mayHoldArrays({ session, ref, signal }: StreamContext, field: string): Promise<boolean> {
  if (field === '_id') return false;
  try {
    const explained = await session.run(signal, (db) => explainNull(db, ref.name, field, signal));
    const scans = stages(explained).filter((stage) => firstKey(stage['keyPattern']) === field);
    return scans.length === 0 || scans.some((stage) => stage['isMultiKey'] !== false);
  } catch (error) {
    signal.throwIfAborted();
    session.context.log.debug({ error: String(error) }, 'a query plan cannot be asked for; the whole collection is looked through instead');
    return true;
  }
}

/** Nothing is read. An index that does not hold every document is never chosen for null. */
function explainNull(db: Db, collection: string, field: string, signal: AbortSignal): Promise<Document> {
  const find = { find: collection, filter: { [field]: null } };
  return db.command({ explain: find, verbosity: 'queryPlanner' }, { signal } as object);
}

/** The index scans of the winning plan; rejected plans do not count. */
function stages(node: unknown): Document[] {
  if (typeof node !== 'object' || node === null) return [];
  const document = node as Document;
  const own = document['stage'] === 'IXSCAN' ? [document] : [];
  return [...own, ...Object.entries(document).flatMap(([name, inner]) => (name === 'rejectedPlans' ? [] : stages(inner)))];
}

/** The first two fields of each index that holds every document. */
export async function indexPrefixes(db: Db, collection: string, signal: AbortSignal): Promise<string[][]> {
  const indexes = (await db
    .collection(collection)
    .listIndexes({ signal } as object)
    .toArray()) as Document[];
  return indexes
    .filter((index) => index['sparse'] !== true && index['partialFilterExpression'] === undefined && index['hidden'] !== true)
    .map((index) => Object.entries(index['key'] as Document).filter(([, direction]) => Math.abs(Number(direction)) === 1))
    .map((entries) => entries.map(([name]) => name));
}

function firstKey(pattern: unknown): string | undefined {
  return typeof pattern === 'object' && pattern !== null ? Object.keys(pattern)[0] : undefined;
}
