import { TrueupError } from 'trueup/sdk';
import type { TargetStream, WriteCounts } from 'trueup/sdk';
import type { Sql, Value } from './file.ts';
import { equalTo, quote, quoteAll } from './quote.ts';
import type { Step } from './stage.ts';

type Outcome = keyof WriteCounts;
export type Counts = { -readonly [Counted in Outcome]: number };

/** Does one step, inside of the transaction of the commit, and counts it. */
export function doStep(sql: Sql, stream: TargetStream, step: Step, counts: Counts): void {
  const table = quote(stream.target);
  switch (step.do) {
    case 'upsert':
      counts[upsert(sql, stream, step)] += 1;
      break;
    case 'delete':
      counts[remove(sql, stream, step.key)] += 1;
      break;
    case 'truncate':
      sql.run(`delete from ${table}`);
      counts.deleted += 1;
      break;
    case 'within':
      counts.deleted += deleteUnlisted(sql, stream, step);
      break;
  }
}

export function keyNames({ shape }: TargetStream): string[] {
  return shape.key.flatMap((index) => shape.fields[index]?.name ?? []);
}

/** Columns that the step does not have keep their values; a row that was marked as deleted is there again. */
function upsert(sql: Sql, stream: TargetStream, { columns, values }: Extract<Step, { do: 'upsert' }>): Outcome {
  const key = keyNames(stream);
  const guard = stream.guard !== undefined && columns.includes(stream.guard) ? quote(stream.guard) : null;
  if (sql.run(upsertText(stream, key, columns, guard), ...values) > 0) return 'upserted';
  if (guard === null) return 'unchanged';
  const keyValues = key.map((name) => values[columns.indexOf(name)] ?? null);
  const incoming = values[columns.indexOf(stream.guard ?? '')] ?? null;
  const newer = sql.first(`select 1 from ${quote(stream.target)} where ${equalTo(key)} and ${guard} > ?`, ...keyValues, incoming);
  return newer === undefined ? 'unchanged' : 'superseded';
}

function upsertText(stream: TargetStream, key: readonly string[], columns: readonly string[], guard: string | null): string {
  const table = quote(stream.target);
  const rest = columns.filter((name) => !key.includes(name));
  const mark = typeof stream.onDelete === 'object' && !columns.includes(stream.onDelete.mark) ? quote(stream.onDelete.mark) : null;
  const sets = [...rest.map((name) => `${quote(name)} = excluded.${quote(name)}`), ...(mark === null ? [] : [`${mark} = null`])];
  // Byte for byte: a column may call equal what differs in case or in spaces at the end.
  const differs = [
    ...rest.map((name) => `t.${quote(name)} collate binary is not excluded.${quote(name)}`),
    ...(mark === null ? [] : [`t.${mark} is not null`]),
  ];
  const insert = `insert into ${table} as t (${quoteAll(columns)}) values (${columns.map(() => '?').join(', ')}) on conflict (${quoteAll(key)})`;
  if (sets.length === 0) return `${insert} do nothing`;
  // NULL on either side proves nothing, so the write is taken.
  const isNewer = guard === null ? '' : ` and (t.${guard} > excluded.${guard}) is not true`;
  return `${insert} do update set ${sets.join(', ')} where (${differs.join(' or ')})${isNewer}`;
}

function remove(sql: Sql, { target, onDelete, shape }: TargetStream, key: readonly Value[]): Outcome {
  const where = `where ${equalTo(shape.key.flatMap((index) => shape.fields[index]?.name ?? []))}`;
  if (onDelete === 'delete') return sql.run(`delete from ${quote(target)} ${where}`, ...key) > 0 ? 'deleted' : 'absent';
  if (typeof onDelete === 'object') {
    const mark = quote(onDelete.mark);
    const now = BigInt(Date.now()) * 1000n;
    if (sql.run(`update ${quote(target)} set ${mark} = ? ${where} and ${mark} is null`, now, ...key) > 0) return 'deleted';
  }
  return sql.first(`select 1 from ${quote(target)} ${where}`, ...key) === undefined ? 'absent' : 'unchanged';
}

/** unwind: of these parents, only the listed rows remain. Returns how many went. */
function deleteUnlisted(sql: Sql, stream: TargetStream, { columns, parents, keys }: Extract<Step, { do: 'within' }>): number {
  const key = keyNames(stream);
  const listed = new Set(keys.map(textOfKey));
  let deleted = 0;
  for (const parent of parents) {
    const found = sql.all(`select ${quoteAll(key)} from ${quote(stream.target)} where ${equalTo(columns)}`, ...parent);
    for (const one of found) {
      if (!listed.has(textOfKey(one))) deleted += sql.run(`delete from ${quote(stream.target)} where ${equalTo(key)}`, ...one);
    }
  }
  return deleted;
}

function textOfKey(key: readonly Value[]): string {
  return JSON.stringify(
    key.map((value) => (value instanceof Uint8Array ? ['b', Buffer.from(value).toString('hex')] : [typeof value, String(value)])),
  );
}

export function streamNamed(streams: readonly TargetStream[], name: string): TargetStream {
  const stream = streams.find((one) => one.stream === name);
  if (stream === undefined) throw new TrueupError('E_BUG', `The lane was not opened for stream '${name}'.`);
  return stream;
}
