import { isTrueupError } from '../../src/sdk.ts';
import type { Shape, StreamInfo } from '../../src/sdk.ts';
import { REST } from './document/layout.ts';
import type { Layout } from './document/layout.ts';
import type { Knowledge } from './read/reading.ts';
import type { PathSample, Sample } from './sample.ts';
import type { Session } from './session.ts';

export interface CollectionName {
  readonly name: string;
  readonly kind: 'collection' | 'view' | 'timeseries';
}

/** Fields of these names are taken for "last changed". */
const CHANGED =
  /^(updated|modified|changed|last_?(updated|modified|changed)|mtime|date_?(updated|modified)|(updated|modified|changed)_?(at|on|date|time|ts|timestamp))$/;
/** Collections that are looked at side by side. */
const AT_ONCE = 4;
const NO_FIELDS: Shape = { fields: [], key: [], open: false };

/** Collections and views that the role may read; the system's own are none. */
export async function listCollections(session: Session, signal: AbortSignal): Promise<CollectionName[]> {
  const found = await session.run(signal, (db) =>
    db.listCollections({}, { nameOnly: true, authorizedCollections: true, signal }).toArray(),
  );
  return found
    .filter(({ name }) => !name.startsWith('system.'))
    .map(({ name, type }): CollectionName => ({ name, kind: type === 'view' || type === 'timeseries' ? type : 'collection' }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function discoverStreams(session: Session, knowledge: Knowledge, signal: AbortSignal): Promise<StreamInfo[]> {
  const collections = await listCollections(session, signal);
  const hasLog = (await session.facts(signal)).kind !== 'standalone';
  const infos: StreamInfo[] = [];
  for (let from = 0; from < collections.length; from += AT_ONCE)
    infos.push(
      ...(await Promise.all(
        collections.slice(from, from + AT_ONCE).map((one) => describe(session, knowledge, { ...one, hasLog }, signal)),
      )),
    );
  return infos;
}

async function describe(
  session: Session,
  knowledge: Knowledge,
  { name, kind, hasLog }: CollectionName & { readonly hasLog: boolean },
  signal: AbortSignal,
): Promise<StreamInfo> {
  try {
    const layout = await knowledge.known(name, signal);
    const rowEstimate = kind === 'collection' ? await estimate(session, name, signal) : undefined;
    return {
      name,
      kind: kind === 'view' ? 'view' : 'collection',
      shape: layout.shape,
      ...(rowEstimate === undefined ? {} : { rowEstimate }),
      changes: [...changesOffered(layout, knowledge.sample(name)), ...(hasLog && kind === 'collection' ? [{ by: 'log' as const }] : [])],
      ...(hasLog || kind !== 'collection' ? {} : { afterSetup: ['log' as const] }),
      sample: pathsOf(knowledge.sample(name)),
    };
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_ACCESS') throw error;
    return { name, kind: kind === 'view' ? 'view' : 'collection', shape: NO_FIELDS, changes: [] };
  }
}

export async function estimate(session: Session, name: string, signal: AbortSignal): Promise<number> {
  return session.run(signal, (db) => db.collection(name).estimatedDocumentCount());
}

/**
 * Best first, and the first is the default: a date of the last change that every document has, by its name; else a comparison of everything. Any other date, and `_id`
 * where documents are inserted and never updated, may be named as a cursor, which is then the user's word.
 */
export function changesOffered({ shape }: Layout, sample: Sample): StreamInfo['changes'] {
  const isDate = (name: string): boolean => shape.fields.some((field) => field.name === name && field.type === 'timestamptz');
  const names = shape.fields.map((field) => field.name).filter((name) => name !== '_id' && name !== REST);
  const named = names.filter((name) => CHANGED.test((name.split('.').at(-1) as string).toLowerCase()));
  const certain = named.filter(
    (name) => isDate(name) && (sample.documents === 0 || pathAt(sample, name)?.types.get('date') === sample.documents),
  );
  const fields = [...new Set([...certain, ...named.filter(isDate), ...names.filter(isDate), ...named, '_id'])];
  const cursor = { by: 'cursor' as const, fields };
  return certain.length > 0 ? [cursor, { by: 'snapshot' }] : [{ by: 'snapshot' }, cursor];
}

export function pathAt(sample: Sample, path: string): PathSample | undefined {
  return path.split('.').reduce<PathSample | undefined>((at, name) => at?.names.get(name), sample.root);
}

/** Each path with the share of documents that have it, and the share of each type there. */
function pathsOf(sample: Sample): NonNullable<StreamInfo['sample']> {
  const paths: NonNullable<StreamInfo['sample']>['paths'][number][] = [];
  const walk = (at: PathSample, before: string): void => {
    for (const [name, inner] of at.names) {
      const path = `${before}${name}`;
      const types = [...inner.types].sort((a, b) => b[1] - a[1]).map(([type, count]) => ({ type, share: count / inner.count }));
      if (path !== REST) paths.push({ path, share: sample.documents === 0 ? 0 : inner.count / sample.documents, types });
      walk(inner, `${path}.`);
    }
  };
  walk(sample.root, '');
  return { records: sample.documents, paths };
}
