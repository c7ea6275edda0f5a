import { TrueupError, cellRecords, typeText } from 'trueup/sdk';
import type { Batch, Cell, LogicalType, Shape, Target, TargetStream } from 'trueup/sdk';
import type { Sql, SqliteFile, Value } from './file.ts';
import { IDENTITY_STATEMENTS, identityOf, isNamed } from './identity.ts';
import { openLane } from './lane.ts';
import { equalTo, quoteAll } from './quote.ts';
import { openStore } from './store.ts';
import { columnOf, describeTable, quoted } from './table.ts';
import { planStream } from './target-plan.ts';
import { cellOf, kindOf, valueOf } from './value.ts';
import { bytesOf } from './view.ts';

const ROWS = 1000;
const BYTES = 4_000_000;

export function openTarget(file: SqliteFile): Target {
  const store = openStore(file.connect());
  return {
    identity: (signal) => file.read(signal, (sql) => identityOf(sql, file.path)),
    writes: 'state',
    // A patch is asked for as a whole record, by the engine.
    ops: new Set(['upsert', 'delete', 'truncate'] as const),
    replacesWithin: true,
    checkpoints: store,
    plan: (streams, signal) => file.read(signal, (sql) => ({ streams: streams.map((stream) => planStream(sql, stream, streams)) })),
    apply: (plan, signal) =>
      file.write(signal, (sql) => {
        const names = isNamed(sql) ? [] : IDENTITY_STATEMENTS;
        for (const statement of [...names, ...plan.streams.flatMap((stream) => stream.statements)]) sql.exec(statement);
      }),
    openLane: async ({ owner, streams, checkpoints }) => openLane({ file, owner, streams, checkpoints }),
    storedAs: (stream, signal) =>
      file.read(signal, (sql) => {
        const table = describeTable(sql, stream.target);
        return stream.shape.fields.map(({ name, type }, index) =>
          table !== null && columnOf(table, name) === undefined
            ? null
            : {
                type,
                convert: (cell: Cell) => cellOf(type, valueOf(type, cell, stream.onLoss[index] ?? 'error', `field '${name}'`).value),
              },
        );
      }),
    async *scan({ stream, fields, signal }) {
      let after: readonly Value[] | null = null;
      while (true) {
        const page: Page | null = await file.read(signal, (sql) => readPage(sql, stream, fields, after));
        if (page === null) return;
        after = page.last;
        yield page.batch;
      }
    },
    async *fetchBy(stream, fields, values, signal) {
      for (let from = 0; from < values.length; from += ROWS) {
        const batch: Batch | null = await file.read(signal, (sql) => find(sql, stream, fields, values.slice(from, from + ROWS)));
        if (batch !== null) yield batch;
      }
    },
    close: async () => {
      await store.close();
      file.close();
    },
  };
}

interface Page {
  readonly batch: Batch;
  /** The key of its last row. */
  readonly last: readonly Value[];
}

/** Fields that the table has, in the shape of the stream. */
function shapeOf(sql: Sql, stream: TargetStream, fields: readonly string[]): Shape | null {
  const table = describeTable(sql, stream.target);
  if (table === null) return null;
  const key = stream.shape.key.flatMap((index) => stream.shape.fields[index]?.name ?? []);
  const chosen = stream.shape.fields.filter(
    ({ name }) => (fields.includes(name) || key.includes(name)) && columnOf(table, name) !== undefined,
  );
  return { fields: chosen, key: key.map((name) => chosen.findIndex((field) => field.name === name)), open: false };
}

function readPage(sql: Sql, stream: TargetStream, fields: readonly string[], after: readonly Value[] | null): Page | null {
  const shape = shapeOf(sql, stream, fields);
  if (shape === null) return null;
  const key = quoteAll(shape.key.flatMap((index) => shape.fields[index]?.name ?? []));
  const beyond = after === null ? '' : ` where (${key}) > (${after.map(() => '?').join(', ')})`;
  const statement = `select ${quoteAll(shape.fields.map(({ name }) => name))} from ${quoted({ name: stream.target })}${beyond} order by ${key} limit ${ROWS}`;
  const rows: (readonly Value[])[] = [];
  let bytes = 0;
  for (const row of sql.iterate(statement, ...(after ?? []))) {
    rows.push(row);
    if ((bytes += bytesOf(row)) >= BYTES) break;
  }
  const last = rows.at(-1);
  return last === undefined ? null : { batch: batchOf(stream, shape, rows), last: shape.key.map((index) => last[index] ?? null) };
}

function find(sql: Sql, stream: TargetStream, fields: readonly string[], values: readonly (readonly Cell[])[]): Batch | null {
  const shape = shapeOf(
    sql,
    stream,
    stream.shape.fields.map(({ name }) => name),
  );
  if (shape === null) return null;
  const types = fields.map((name) => stream.shape.fields.find((field) => field.name === name)?.type ?? 'unknown');
  const statement = `select ${quoteAll(shape.fields.map(({ name }) => name))} from ${quoted({ name: stream.target })} where ${equalTo(fields)}`;
  const rows = values.flatMap((wanted) => sql.all(statement, ...wanted.map((cell, index) => lookedFor(types[index] ?? 'unknown', cell))));
  return rows.length === 0 ? null : batchOf(stream, shape, rows);
}

function lookedFor(type: LogicalType, cell: Cell): Value {
  return valueOf(type, cell, 'error', 'a value that is looked for').value;
}

function batchOf(stream: TargetStream, shape: Shape, rows: readonly (readonly Value[])[]): Batch {
  const cells = rows.map((row) => shape.fields.map((_field, index) => readCell(stream, shape, index, row[index] ?? null)));
  const records = cellRecords({ rows: cells, bytes: rows.reduce((sum, row) => sum + bytesOf(row), 0) });
  return { stream: stream.stream, shape, records, ops: null, distinctKeys: true, cursor: null, position: { text: `${rows.length} rows` } };
}

/** @throws {TrueupError} `E_DRIFT` for a value that trueup would not have written */
function readCell(stream: TargetStream, shape: Shape, index: number, value: Value): Cell {
  const field = shape.fields[index];
  const cell = cellOf(field?.type ?? 'unknown', value);
  if (cell !== undefined) return cell;
  throw new TrueupError(
    'E_DRIFT',
    `Column '${field?.name}' of table '${stream.target}' holds ${kindOf(value)}, expected ${typeText(field?.type ?? 'unknown')}: somebody else wrote it.`,
  );
}
