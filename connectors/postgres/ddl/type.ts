import type { Field, LogicalType } from '../../../src/sdk.ts';

const TYPES: Readonly<Record<Extract<LogicalType, string>, string>> = {
  bool: 'boolean',
  int32: 'integer',
  int64: 'bigint',
  float64: 'double precision',
  decimal: 'numeric',
  text: 'text',
  bytes: 'bytea',
  uuid: 'uuid',
  objectId: 'text',
  date: 'date',
  time: 'time without time zone',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  interval: 'interval',
  json: 'jsonb',
  unknown: 'text',
  variant: 'jsonb',
};

/** The type of a column made for a field: to the letter where the source is Postgres, else what holds the logical type exactly. */
export function columnType(field: Field): string {
  return nativeText(field) ?? logicalText(field.type);
}

/** The field's native type, when it is Postgres' own. */
export function nativeText(field: Field): string | null {
  return field.native?.system === 'postgres' ? field.native.type : null;
}

/** Lists of lists are one array type of more dimensions; lists of documents are no array. */
function logicalText(type: LogicalType): string {
  if (typeof type === 'string') return TYPES[type];
  if ('struct' in type) return 'jsonb';
  const element = logicalText(type.list);
  if (element === 'jsonb' && type.list !== 'json') return 'jsonb';
  return element.endsWith('[]') ? element : `${element}[]`;
}
