import { TrueupError } from '../../src/sdk.ts';
import type { ChangeMethod, Shape, StreamInfo } from '../../src/sdk.ts';
import { offersLog, readLogFacts } from './log/log-facts.ts';
import { columnField, logicalType } from './values/native.ts';
import { streamName } from './quote.ts';
import type { RelationName } from './quote.ts';
import { COUNTERS, REFERENCES } from './relation-sql.ts';
import { describeQuery, describeRelations, relationKeys } from './relation.ts';
import type { Column, Relation } from './relation.ts';
import type { Session } from './session/session.ts';

/** Columns of these names are taken for "last changed", in this order. */
const CHANGED =
  /^(updated|modified|changed|last_?(updated|modified|changed)|mtime|date_?(updated|modified)|(updated|modified|changed)_?(at|on|date|time|ts|timestamp))$/;

/** Every stream of the database; partitions are part of their table, and system tables are none. */
export async function discoverStreams(
  session: Session,
  queries: readonly { readonly name: string; readonly query: string }[],
): Promise<StreamInfo[]> {
  const hasLog = offersLog(await readLogFacts(session));
  const relations = await describeRelations(session, null);
  const oids = `{${relations.map((relation) => relation.oid).join(',')}}`;
  const counters = Map.groupBy(await session.query(COUNTERS, [oids]), ([oid]) => oid as string);
  const references = Map.groupBy(await session.query(REFERENCES, [oids]), ([oid]) => oid as string);
  const names = new Map(relations.map((relation) => [relation.oid, streamName(relation.name as RelationName)]));
  const found = relations.map((relation): StreamInfo => {
    const oid = relation.oid as string;
    const dependsOn = (references.get(oid) ?? []).flatMap(([, to]) => names.get(to as string) ?? []);
    return describe(names.get(oid) as string, relation, {
      counters: (counters.get(oid) ?? []).map(([, name]) => name as string),
      dependsOn,
      hasLog,
    });
  });
  for (const { name, query } of queries)
    found.push(describe(name, await queryRelation(session, name, query), { counters: [], dependsOn: [], hasLog }));
  return found;
}

/** @throws {TrueupError} `E_CONFIG_INVALID` for a query that the server does not understand */
export async function queryRelation(session: Session, name: string, query: string): Promise<Relation> {
  try {
    return await describeQuery(session, query);
  } catch (error) {
    throw queryFault(name, error) ?? error;
  }
}

/** A fault of SQL that a person wrote is a mistake in the config, not a changed plan. */
function queryFault(name: string, error: unknown): TrueupError | null {
  if (!(error instanceof TrueupError) || (error.code !== 'E_PLAN_CHANGED' && error.code !== 'E_BUG' && error.fault !== 'record'))
    return null;
  return new TrueupError('E_CONFIG_INVALID', `The query of stream '${name}' is refused by the server: ${error.message}`, { cause: error });
}

interface Known {
  readonly hasLog: boolean;
  readonly counters: readonly string[];
  readonly dependsOn: readonly string[];
}

function describe(name: string, relation: Relation, { counters, dependsOn, hasLog }: Known): StreamInfo {
  const readable = relation.columns.filter((column) => column.readable);
  const key = relationKeys(relation).find((columns) => columns.every((column) => readable.some((one) => one.name === column))) ?? [];
  const shape: Shape = {
    fields: readable.map((column) => columnField({ ...column, nullable: !column.notNull }, relation.types)),
    key: key.map((column) => readable.findIndex((one) => one.name === column)),
    open: false,
  };
  return {
    name,
    kind: relation.kind === 'query' ? 'query' : relation.kind === 'view' || relation.kind === 'matview' ? 'view' : 'table',
    shape,
    ...(relation.rowEstimate === null ? {} : { rowEstimate: relation.rowEstimate }),
    changes: changesOffered(relation, counters, hasLog),
    ...(hasLog || !isLoggable(relation) ? {} : { afterSetup: ['log' as const] }),
    ...(dependsOn.length > 0 ? { dependsOn } : {}),
  };
}

/**
 * Best first, and the first is the default: a time of the last change that is NOT NULL, indexed and named like one (`updated_at`); else xmin.
 * A view or query has no xmin: there the name alone must do, and without such a column it is compared as a whole. Any orderable column may
 * still be named as a cursor, which is then the user's word. The log is on offer and never the default: it makes the server keep what was not read yet.
 */
export function changesOffered(
  relation: Relation,
  counters: readonly string[],
  hasLog = false,
): { readonly by: ChangeMethod; readonly fields?: readonly string[] }[] {
  const times = relation.columns.filter((column) => column.readable && isTime(column, relation));
  const named = times.filter((column) => CHANGED.test(column.name.toLowerCase()));
  const certain = relation.kind === 'matview' ? [] : named.filter((column) => isCertain(column, relation));
  const fields = [...new Set([...certain, ...named, ...times].map((column) => column.name).concat(counters))];
  const cursor = fields.length > 0 ? [{ by: 'cursor' as const, fields }] : [];
  const sequence = counters.length > 0 ? [{ by: 'sequence' as const, fields: counters }] : [];
  const snapshot = { by: 'snapshot' as const };
  const log = hasLog && isLoggable(relation) ? [{ by: 'log' as const }] : [];
  if (!relation.hasXmin) return named.length > 0 ? [...cursor, ...log, snapshot] : [...log, snapshot];
  const best = certain.length > 0 ? [...cursor, { by: 'xmin' as const }] : [{ by: 'xmin' as const }, ...cursor];
  return [...best, ...sequence, ...log, snapshot];
}

function isLoggable({ kind }: Relation): boolean {
  return kind === 'table' || kind === 'partitioned';
}

function isCertain(column: Column, relation: Relation): boolean {
  return (
    column.notNull &&
    logicalType(column.type, relation.types) === 'timestamptz' &&
    relation.indexes.some((index) => index.columns[0] === column.name)
  );
}

export function isTime(column: Column, relation: Relation): boolean {
  const type = logicalType(column.type, relation.types);
  return type === 'timestamptz' || type === 'timestamp' || type === 'date';
}
