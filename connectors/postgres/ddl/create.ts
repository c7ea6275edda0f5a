import type { TargetStream } from '../../../src/sdk.ts';
import type { NativePlans } from './native.ts';
import { columnType, nativeText } from './type.ts';
import { quoteIdentifier, quoteIdentifiers, quoteRelation } from '../quote.ts';
import type { RelationName } from '../quote.ts';

/** Statements that make the table of a stream, and before it whatever schema and types it needs. Each can be run again. */
export function createStatements(
  stream: TargetStream,
  relation: RelationName,
  given: { readonly schemaExists: boolean; readonly natives: NativePlans },
): string[] {
  const { fields, key } = stream.shape;
  const types = new Set(fields.flatMap((field) => given.natives.get(nativeText(field) ?? '')?.statements ?? []));
  const columns = fields.map((field) => `${quoteIdentifier(field.name)} ${columnType(field)}${field.nullable ? '' : ' not null'}`);
  const mark = markName(stream);
  if (mark !== null && !fields.some((field) => field.name === mark)) columns.push(`${quoteIdentifier(mark)} ${MARK_TYPE}`);
  const primaryKey = `primary key (${quoteIdentifiers(key.map((index) => fields[index]?.name ?? ''))})`;
  return [
    ...(given.schemaExists ? [] : [`create schema if not exists ${quoteIdentifier(relation.schema)}`]),
    ...types,
    `create table if not exists ${quoteRelation(relation)} (${[...columns, primaryKey].join(', ')})`,
  ];
}

/** When a row was deleted in the source; NULL while it was not. */
export const MARK_TYPE = 'timestamp with time zone';

export function markName(stream: TargetStream): string | null {
  return typeof stream.onDelete === 'string' ? null : stream.onDelete.mark;
}
