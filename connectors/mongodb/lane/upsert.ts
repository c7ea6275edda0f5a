import { MAX_DOCUMENT } from '../bson/size.ts';
import { emptySink } from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';
import { idKey } from '../bson/id-key.ts';
import { keyed, orFault, otherWriter, present, run } from './work.ts';
import type { Item, KeyedItem, Work } from './work.ts';
import { packedSink } from './packed.ts';
import type { Packed } from './packed.ts';
import type { Done } from './write-command.ts';

/** Makes the documents of some records what the records say. */
export async function upsert(work: Work, items: readonly Item[], sink: Sink): Promise<void> {
  const { writer, counts } = work;
  if (writer.lane.atomic) return upsertAtomic(work, items, sink);
  if (writer.insertFirst === false) {
    const { upserted, sent } = await update(work, items, { sink, again: false });
    if (sent > 0) writer.insertFirst = upserted * 2 > sent;
    return;
  }
  const operations = packInserts(work, items, sink);
  if (operations.indices.length === 0) return;
  const { n, faults, duplicates } = await run(work, 'insert', operations);
  counts.upserted += n;
  work.faults.push(...faults);
  writer.insertFirst = duplicates.length * 2 <= operations.indices.length;
  if (duplicates.length === 0) return;
  const there = new Set(duplicates);
  await update(
    work,
    items.filter(({ index }) => there.has(index)),
    { sink, again: true },
  );
}

/** In a transaction nothing may be refused, so it is asked first what is there. Updates go first: they may give up what a unique index then takes. */
async function upsertAtomic(work: Work, items: readonly Item[], sink: Sink): Promise<void> {
  const all = keyed(work, items);
  const there = await present(work, all);
  const isThere = ({ id }: KeyedItem): boolean => there.has(idKey(id));
  const old = all.filter(isThere).map(({ item }) => item);
  if (old.length > 0) await update(work, old, { sink, again: false });
  const fresh = packInserts(
    work,
    all.filter((one) => !isThere(one)).map(({ item }) => item),
    sink,
  );
  const { n, duplicates } = await run(work, 'insert', fresh);
  if (duplicates.length > 0) throw otherWriter(work);
  work.counts.upserted += n;
}

/** The records as documents; what MongoDB cannot hold is at fault. */
function packInserts(work: Work, items: readonly Item[], sink: Sink): Packed {
  const { documents } = work.writer;
  return pack(work, items, sink, (item) => {
    const start = sink.at;
    documents.whole(sink, item.record);
    return sink.at - start;
  });
}

/** @param write returns what the document weighs */
function pack(work: Work, items: readonly Item[], sink: Sink, write: (item: Item) => number): Packed {
  emptySink(sink);
  const ends: number[] = [];
  const indices: number[] = [];
  for (const item of items) {
    const { index } = item;
    const start = sink.at;
    const size = orFault(work, index, () => write(item));
    if (size !== null && size <= MAX_DOCUMENT) {
      ends.push(sink.at);
      indices.push(index);
      continue;
    }
    sink.at = start;
    if (size !== null)
      work.faults.push({
        index,
        code: 'E_RECORD_TOO_LARGE',
        message: `the document weighs ${size} bytes, more than the 16 MiB that MongoDB holds`,
      });
  }
  return packedSink(sink, { ends, indices });
}

interface Updating {
  readonly sink: Sink;
  /** Whether the records were written before, and their conversions counted. */
  readonly again: boolean;
}

async function update(work: Work, items: readonly Item[], { sink, again }: Updating): Promise<Done & { readonly sent: number }> {
  const { writer, counts } = work;
  const documents = again ? writer.again : writer.documents;
  const operations = pack(work, items, sink, ({ record }) => {
    const start = sink.at;
    documents.update(sink, record, { upsert: !writer.lane.atomic });
    return sink.at - start < NEARLY_TOO_LARGE ? 0 : wholeSize(work, record, sink);
  });
  const done = await run(work, 'update', operations);
  counts.upserted += done.modified + done.upserted;
  counts.unchanged += done.n - done.modified - done.upserted;
  work.faults.push(...done.faults);
  const sent = operations.indices.length;
  const missed = writer.lane.atomic ? sent - done.n : done.duplicates.length;
  if (missed > 0 && writer.plan.stream.guard === undefined) throw otherWriter(work);
  counts.superseded += missed;
  return { ...done, sent };
}

/** An update names paths where the document has names, so it says nothing exact of what the document weighs. */
const NEARLY_TOO_LARGE = MAX_DOCUMENT / 2;

function wholeSize({ writer }: Work, record: Item['record'], sink: Sink): number {
  const start = sink.at;
  writer.again.whole(sink, record);
  const size = sink.at - start;
  sink.at = start;
  return size;
}
