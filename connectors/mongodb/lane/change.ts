import { TrueupError, decodedCell } from '../../../src/sdk.ts';
import type { Cell, MappedBatch } from '../../../src/sdk.ts';
import { emptySink } from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';
import type { BsonValue } from '../bson/value.ts';
import { idKey } from '../bson/id-key.ts';
import { keyed, orFault, otherWriter, present, run } from './work.ts';
import type { Item, KeyedItem, Work } from './work.ts';
import { packed, packedSink } from './packed.ts';
import type { BsonMap } from '../document/document.ts';

function equalTo(id: BsonValue): BsonValue {
  return { $eq: id };
}

export async function patch(work: Work, items: readonly Item[], sink: Sink): Promise<void> {
  const { writer, counts, faults } = work;
  const all = keyed(work, items);
  const there = await present(work, all);
  emptySink(sink);
  const ends: number[] = [];
  const indices: number[] = [];
  for (const { item, id } of all) {
    const { index, record } = item;
    if (!there.has(idKey(id))) {
      faults.push({ index, code: 'E_RECORD_MISSING', message: `'${writer.plan.stream.target}' has no document of this key to change` });
      continue;
    }
    const start = sink.at;
    const isWritten = orFault(work, index, () => (writer.documents.update(sink, record, { upsert: false, partial: true }), true));
    if (isWritten === null) sink.at = start;
    else {
      ends.push(sink.at);
      indices.push(index);
    }
  }
  const done = await run(work, 'update', packedSink(sink, { ends, indices }));
  counts.upserted += done.modified;
  counts.unchanged += done.n - done.modified;
  faults.push(...done.faults);
  const missed = indices.length - done.n - done.faults.length;
  if (missed > 0 && writer.plan.stream.guard === undefined) throw otherWriter(work);
  counts.superseded += missed;
}

export async function remove(work: Work, all: readonly Item[]): Promise<void> {
  const { counts, writer } = work;
  const { onDelete } = writer.plan.stream;
  const items = keyed(work, all);
  if (onDelete === 'delete') {
    const operations = packed(items.map(({ item: { index }, id }) => ({ index, body: { q: { _id: equalTo(id) }, limit: 1 } })));
    const done = await run(work, 'delete', operations);
    counts.deleted += done.n;
    counts.absent += items.length - done.n - done.faults.length;
    work.faults.push(...done.faults);
    return;
  }
  const there = (await present(work, items)).size;
  counts.absent += items.length - there;
  const marked = onDelete === 'ignore' ? 0 : await markAll(work, items, onDelete.mark);
  counts.deleted += marked;
  counts.unchanged += there - marked;
}

async function markAll(work: Work, items: readonly KeyedItem[], mark: string): Promise<number> {
  const now = new Date();
  const operations = items.map(({ item: { index }, id }) => ({
    index,
    body: { q: { _id: equalTo(id), [mark]: null }, u: { $set: { [mark]: now } } },
  }));
  const done = await run(work, 'update', packed(operations));
  work.faults.push(...done.faults);
  return done.modified;
}

export async function truncate(work: Work): Promise<void> {
  await run(work, 'delete', packed([{ index: 0, body: { q: {}, limit: 0 } }]));
  work.counts.deleted += 1;
}

/** Which parent a record of the batch belongs to. */
function parentText({ records, replaceWithin }: MappedBatch, index: number): string {
  const row = records.rows()[index] ?? [];
  return cellsText((replaceWithin?.fields ?? []).map((field) => decodedCell(records, row, field)));
}

function cellsText(cells: readonly Cell[]): string {
  return JSON.stringify(cells, (_name, value: unknown) =>
    typeof value === 'bigint' ? `${value}n` : value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
  );
}

/** unwind: of the listed parents, only the documents of this batch remain. */
export async function deleteUnlisted(work: Work, items: readonly KeyedItem[]): Promise<void> {
  const { batch } = work;
  const { fields, parents } = batch.replaceWithin ?? { fields: [], parents: [] };
  const { places } = work.writer.plan;
  const held = fields.map((field) => places.find(({ name }) => name === batch.shape.fields[field]?.name));
  const listedOf = Map.groupBy(items, ({ item: { index } }) => parentText(batch, index));
  const operations = parents.map((cells, index) => {
    const filter: BsonMap = new Map();
    held.forEach((place, at) => place !== undefined && filter.set(place.name, equalTo(place.fit.toValue(cells[at], () => undefined))));
    filter.set('_id', { $nin: (listedOf.get(cellsText(cells)) ?? []).map(({ id }) => id) });
    return { index, body: { q: filter, limit: 0 } };
  });
  if (held.includes(undefined)) throw new TrueupError('E_BUG', `'${work.writer.plan.stream.target}' lacks a field of the parents.`);
  work.counts.deleted += (await run(work, 'delete', packed(operations))).n;
}
