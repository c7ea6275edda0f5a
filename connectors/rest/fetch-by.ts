import { cellToText, pageBatches } from '../../src/sdk.ts';
import type { Batch, Cell, LogicalType, PagedView } from '../../src/sdk.ts';
import { askedText, isAbsent, refuseStatus } from './api.ts';
import type { Api } from './api.ts';
import { WALK_START } from './cursor.ts';
import { asking } from './endpoint.ts';
import { inParallel } from './in-parallel.ts';
import { parsePath } from './json-path.ts';
import type { Reading } from './pass.ts';
import { readAnswer } from './read-answer.ts';
import { pagedRow } from './record-row.ts';
import type { RestRow } from './record-row.ts';
import { walk } from './walk.ts';

/** Records that were looked up one by one and are handed over together. */
const ROWS_TOGETHER = 200;
const NO_CURSOR = { more: false, cursor: null, position: { text: '' } } as const;

/** Every record as it is now. */
export async function* scanStream(reading: Reading): AsyncGenerator<Batch> {
  for await (const rows of allRows(reading)) yield* await batchesOf(reading, rows);
}

/** Records by the values of fields: one by one where there is an endpoint for them, else all are read. */
export async function* fetchRows(
  reading: Reading & { readonly api: Api; readonly lookups: number },
  fields: readonly string[],
  values: readonly (readonly Cell[])[],
): AsyncGenerator<Batch> {
  if (values.length === 0) return;
  const { plan } = reading;
  const isByKey = plan.declared.get !== undefined && sameNames(fields, plan.declared.key);
  if (isByKey) {
    let rows: RestRow[] = [];
    for await (const row of inParallel(values, reading.lookups, (value) => getOne(reading, fields, value))) {
      if (row !== null) rows.push(row);
      if (rows.length < ROWS_TOGETHER) continue;
      yield* await batchesOf(reading, rows);
      rows = [];
    }
    if (rows.length > 0) yield* await batchesOf(reading, rows);
    return;
  }
  const view = await reading.knowledge.view(plan, { ...reading.stream, fields: null, except: [] }, reading.request.signal);
  const wanted = new Set(
    values.map((value) => JSON.stringify(value.map((cell, index) => cellToText(typeOf(view, fields[index] ?? ''), cell)))),
  );
  for await (const rows of allRows(reading)) {
    const found = rows.filter((row) => wanted.has(textOf(view, fields, row)));
    if (found.length > 0) yield* await batchesOf(reading, found);
  }
}

async function* allRows({ knowledge, plan, stream, request }: Reading): AsyncGenerator<readonly RestRow[]> {
  const bounds = { rows: request.batchRows, bytes: request.batchBytes, recordBytes: stream.maxRecordBytes };
  for await (const { rows } of walk(knowledge.walking(bounds, request.signal), plan, WALK_START, [])) {
    request.signal.throwIfAborted();
    if (rows.length === 0) continue;
    knowledge.grow(plan, rows);
    yield rows;
  }
}

async function batchesOf({ knowledge, plan, stream, request }: Reading, rows: readonly RestRow[]): Promise<Iterable<Batch>> {
  const view = await knowledge.view(plan, stream, request.signal);
  return pageBatches({ rows: rows.map(pagedRow), ...NO_CURSOR }, view, request);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');
}

function typeOf({ shape }: PagedView, name: string): LogicalType {
  return shape.fields.find((field) => field.name === name)?.type ?? 'text';
}

/** Empty: it cannot be read. */
function textOf(view: PagedView, fields: readonly string[], row: RestRow): string {
  try {
    return JSON.stringify(
      fields.map((name) => {
        const field = { name, type: typeOf(view, name), nullable: true };
        return cellToText(field.type, view.cell?.(pagedRow(row), field, `field '${name}'`) ?? null);
      }),
    );
  } catch {
    return '';
  }
}

/** `null`: it is not there. */
async function getOne(
  { api, plan, knowledge, stream, request }: Reading & { readonly api: Api },
  fields: readonly string[],
  value: readonly Cell[],
): Promise<RestRow | null> {
  const { get } = plan.declared;
  if (get === undefined) return null;
  const { signal } = request;
  const places = await knowledge.fieldsOf(plan, signal);
  const cell = (name: string): Cell => value[fields.indexOf(name)];
  const fill = (name: string): string | null => cellToText(places.find((one) => one.name === name)?.type ?? 'text', cell(name));
  const asked = asking(
    api.baseUrl,
    { method: 'GET', path: get.path, query: {}, headers: plan.endpoint.headers, body: undefined },
    { fill, params: [], at: null },
  );
  const answer = await api.ask(asked, { signal });
  if (isAbsent(answer)) {
    answer.cancel();
    return null;
  }
  refuseStatus(answer, askedText(asked));
  const how = {
    format: 'json' as const,
    records: parsePath(get.record),
    errors: plan.errors,
    isRecord: true,
    maxPiece: Math.max(64 * 2 ** 20, 4 * stream.maxRecordBytes),
    asked: askedText(asked),
  };
  const parent = new Map(places.flatMap((place): [string, Cell][] => (place.parent === null ? [] : [[place.parent, cell(place.name)]])));
  let found: RestRow | null = null;
  for await (const records of readAnswer(answer.body, how)) for (const { json } of records) found ??= { json, parent };
  return found;
}
