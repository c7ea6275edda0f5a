import assert from 'node:assert/strict';
import { carrierProblem } from '../model/carrier.ts';
import type { Cell } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch, FetchRequest, Source } from '../model/contracts.ts';
import type { Cursor, Feed } from '../model/feed.ts';
import { decodedCell } from '../model/records.ts';
import { fieldIndex } from '../model/shape.ts';
import { NEVER, throughJson, within } from './expectations.ts';
import type { SourceFixture, TestRecord } from './source-fixture.ts';

/** The longest that anything on a local test system may take. */
const PATIENCE_MS = 20_000;

/** The changes feed of the stream, as it comes back from where it is stored. */
export function changesFeed(fixture: SourceFixture, source: Source): Feed {
  const feed = source.feeds([fixture.stream]).find(({ streams }) => streams.includes(fixture.stream.name));
  return throughJson(feed ?? assert.fail(`no feed has the stream '${fixture.stream.name}'`));
}

/** A request for everything there is, with the cursor as it comes back from where it is stored. */
export function request(fixture: SourceFixture, feed: Feed, change: Partial<FetchRequest> = {}): FetchRequest {
  const defaults = {
    feed,
    streams: [fixture.stream],
    after: null,
    forms: new Map(fixture.form === undefined ? [] : [[fixture.stream.name, fixture.form]]),
    batchRows: 1000,
    batchBytes: 8_000_000,
    maxDelayMs: 20,
    until: 'drain' as const,
    signal: NEVER,
  };
  const made = { ...defaults, ...change };
  return { ...made, after: throughJson(made.after) };
}

/** All the batches of a read that ends by itself, each checked for what must hold of every batch. */
export async function readAll(source: Source, asked: FetchRequest): Promise<Batch[]> {
  return within(PATIENCE_MS, `a read until '${asked.until}'`, collect(source.fetchChanges(asked), asked));
}

async function collect(stream: AsyncIterable<Batch>, asked: FetchRequest): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of stream) {
    checkBatch(batch, asked);
    batches.push(batch);
  }
  return batches;
}

/** What holds of every batch: its bounds, its shape, its cells, its cursor. */
export function checkBatch(batch: Batch, asked: FetchRequest): void {
  const { records, ops, cursor, position, stream } = batch;
  assert.ok(stream === null || asked.streams.some(({ name }) => name === stream), `a batch of '${stream}', which was not asked for`);
  assert.ok(stream !== null || records.count === 0, 'records without a stream');
  assert.ok(records.count <= asked.batchRows, `a batch of ${records.count} records, asked for at most ${asked.batchRows}`);
  const withoutLast = records.count <= 1 ? 0 : (records.bytes * (records.count - 1)) / records.count;
  assert.ok(
    withoutLast <= asked.batchBytes,
    `a batch of ${records.bytes} bytes in ${records.count} records, asked for at most ${asked.batchBytes}`,
  );
  assert.ok(ops === null || ops.length === records.count, `${ops?.length} ops for ${records.count} records`);
  assert.ok(cursor === null || JSON.stringify(cursor).length <= 64 * 1024, 'a cursor over 64 KiB');
  assert.equal(typeof position.text, 'string');
  assert.ok(
    records.form === 'cells' || records.form === asked.forms.get(stream ?? ''),
    `records as ${records.form}, which was not asked for`,
  );
  assert.equal(records.form === 'cells', records.wire === undefined, 'bytes, as `form` says');
  checkRows(batch);
}

function checkRows({ records, shape, ops }: Batch): void {
  const rows = records.rows();
  assert.equal(rows.length, records.count, 'rows, as many as `count` says');
  for (const [index, row] of rows.entries()) {
    assert.equal(row.length, shape.fields.length, 'cells of a row, as many as its shape has fields');
    const op = ops?.[index] ?? OP.upsert;
    for (const [field, { name, type }] of shape.fields.entries()) {
      const cell = decodedCell(records, row, field);
      const problem = carrierProblem(type, cell);
      assert.equal(problem, null, `field '${name}': ${problem}`);
      assert.ok(op !== OP.upsert || cell !== undefined, `field '${name}' of an upsert is absent`);
      assert.ok(
        op === OP.truncate || !shape.key.includes(field) || (cell !== null && cell !== undefined),
        `key field '${name}' has no value`,
      );
    }
  }
}

/** A copy that is kept in step by applying batches, as a target would: what the records of the stream are, by id. */
export interface Replica {
  readonly records: Map<number, string | null>;
  /** How often each id was delivered. */
  readonly deliveries: Map<number, number>;
  apply(batches: readonly Batch[]): Promise<void>;
}

export function openReplica(fixture: SourceFixture, source: Source): Replica {
  const records = new Map<number, string | null>();
  const deliveries = new Map<number, number>();
  const replica = {
    records,
    deliveries,
    apply: async (batches: readonly Batch[]): Promise<void> => {
      for (const batch of batches) {
        const touched = applyBatch(batch, fixture, { records, deliveries });
        if (touched.length > 0) await lookUp(touched);
      }
    },
  };
  async function lookUp(keys: readonly Cell[]): Promise<void> {
    assert.ok(source.fetchBy !== undefined, 'a source that delivers touches must have fetchBy');
    for (const key of keys) records.delete(Number(key));
    for await (const batch of source.fetchBy(
      fixture.stream,
      [fixture.fields.id],
      keys.map((key) => [key]),
      NEVER,
    ))
      applyBatch(batch, fixture, { records, deliveries: new Map() });
  }
  return replica;
}

/** The keys that must be looked up again. */
function applyBatch(batch: Batch, fixture: SourceFixture, { records, deliveries }: Pick<Replica, 'records' | 'deliveries'>): Cell[] {
  if (batch.stream !== fixture.stream.name) return [];
  const touched: Cell[] = [];
  for (const { op, idCell, label } of changesOf(batch, fixture)) {
    const id = Number(idCell);
    deliveries.set(id, (deliveries.get(id) ?? 0) + 1);
    if (op === OP.truncate) records.clear();
    else if (op === OP.delete) records.delete(id);
    else if (op === OP.touch) touched.push(idCell);
    else if (op === OP.upsert || label !== undefined) records.set(id, label as string | null);
  }
  return touched;
}

interface TestChange {
  readonly op: number;
  readonly idCell: Cell;
  readonly label: Cell;
}

export function changesOf(batch: Batch, { fields }: SourceFixture): TestChange[] {
  const [id, label] = [fieldIndex(batch.shape, fields.id), fieldIndex(batch.shape, fields.label)];
  assert.ok(id >= 0 && label >= 0, `fields ${fields.id} and ${fields.label} in the shape of a batch`);
  return batch.records.rows().map((row, index) => ({
    op: batch.ops?.[index] ?? OP.upsert,
    idCell: decodedCell(batch.records, row, id),
    label: decodedCell(batch.records, row, label),
  }));
}

/** The ids of every record in the batches, ascending. */
export function idsOf(fixture: SourceFixture, batches: readonly Batch[]): number[] {
  const ids = batches.flatMap((batch) => (batch.stream === null ? [] : changesOf(batch, fixture).map(({ idCell }) => Number(idCell))));
  return ids.sort((a, b) => a - b);
}

/** The cursor after the last batch that has one. */
export function lastCursor(batches: readonly Batch[], before: Cursor | null = null): Cursor | null {
  return batches.findLast((batch) => batch.cursor !== null)?.cursor ?? before;
}

export function numbered(from: number, to: number, label = 'row'): TestRecord[] {
  return Array.from({ length: to - from + 1 }, (_, index) => ({ id: from + index, label: `${label} ${from + index}` }));
}

export function byId(records: readonly TestRecord[]): Map<number, string | null> {
  return new Map(records.map(({ id, label }) => [id, label]));
}

/** Compares without the order of insertion, and names ids instead of printing thousands of records. */
export function assertSame(actual: ReadonlyMap<number, string | null>, expected: ReadonlyMap<number, string | null>, what: string): void {
  const missing = [...expected.keys()].filter((id) => !actual.has(id));
  const extra = [...actual.keys()].filter((id) => !expected.has(id));
  const stale = [...expected].filter(([id, label]) => actual.has(id) && actual.get(id) !== label).map(([id]) => id);
  const found = { missing: missing.slice(0, 10), extra: extra.slice(0, 10), stale: stale.slice(0, 10) };
  assert.ok(
    missing.length + extra.length + stale.length === 0,
    `${what}: ${missing.length} missing, ${extra.length} extra, ${stale.length} stale of ${expected.size}: ${JSON.stringify(found)}`,
  );
}

/** A source that is closed at the end, whatever happens. */
export async function withSource<Result>(fixture: SourceFixture, work: (source: Source) => Promise<Result>): Promise<Result> {
  const source = fixture.open();
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** A drain of the changes feed by a new process. */
export function drain(fixture: SourceFixture, after: Cursor | null, change: Partial<FetchRequest> = {}): Promise<Batch[]> {
  return withSource(fixture, (source) => readAll(source, request(fixture, changesFeed(fixture, source), { after, ...change })));
}
