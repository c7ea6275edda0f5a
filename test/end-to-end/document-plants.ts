import { Binary, Int32, Long } from 'mongodb';
import type { Collection, Db, Document } from 'mongodb';
import type { TestDatabase } from '../servers/postgres.ts';

/** A kind of difference that is planted in documents. */
export interface DocumentPlant {
  readonly name: string;
  readonly kind: 'missing' | 'extra' | 'different';
  plant(things: Collection, ids: readonly number[]): Promise<unknown>;
}

const within = (ids: readonly number[]): Document => ({ _id: { $in: ids.map((id) => Long.fromNumber(id)) } });
const set = (change: Document) => (things: Collection, ids: readonly number[]) => things.updateMany(within(ids), [{ $set: change }]);

/** Every kind of difference that a verify must find in documents made of `public.things`. */
export const DOCUMENT_PLANTS: readonly DocumentPlant[] = [
  { name: 'a missing document', kind: 'missing', plant: (things, ids) => things.deleteMany(within(ids)) },
  {
    name: 'a document too many',
    kind: 'extra',
    plant: (things, ids) => {
      const minus = { $multiply: [-1, '$_id'] };
      return things
        .aggregate([{ $match: within(ids) }, { $set: { _id: minus, id: minus } }, { $merge: { into: things.collectionName } }])
        .toArray();
    },
  },
  { name: 'a key under its own name that is another', kind: 'different', plant: set({ id: { $literal: Long.fromNumber(-7) } }) },
  { name: 'a millisecond', kind: 'different', plant: set({ at: { $add: ['$at', 1] } }) },
  {
    name: 'one digit of a decimal',
    kind: 'different',

    plant: set({ amount: { $add: ['$amount', { $toDecimal: '0.0000000000000000001' }] } }),
  },
  { name: "null for ''", kind: 'different', plant: set({ label: null }) },
  { name: "nothing for ''", kind: 'different', plant: (things, ids) => things.updateMany(within(ids), { $unset: { label: 1 } }) },
  { name: "'' for null", kind: 'different', plant: set({ note: '' }) },
  { name: 'a space at the end', kind: 'different', plant: set({ label: ' ' }) },
  { name: '-0 for 0', kind: 'different', plant: (things, ids) => things.updateMany(within(ids), { $set: { ratio: -0 } }) },
  {
    name: 'other order in a sub-document',
    kind: 'different',

    plant: set({ spot: { $arrayToObject: { $reverseArray: { $objectToArray: '$spot' } } } }),
  },
  { name: 'other order in an array', kind: 'different', plant: set({ tags: { $reverseArray: '$tags' } }) },
  { name: 'an int for the same long', kind: 'different', plant: set({ size: { $toInt: '$size' } }) },
  { name: 'a double for the same int', kind: 'different', plant: set({ rank: { $toDouble: '$rank' } }) },
  { name: 'a decimal for the same double', kind: 'different', plant: set({ ratio: { $toDecimal: '$ratio' } }) },
  { name: 'a text for a number', kind: 'different', plant: set({ size: { $toString: '$size' } }) },
  { name: 'a document for a text', kind: 'different', plant: set({ label: { $literal: { a: new Int32(1) } } }) },
  {
    name: 'bytes of another subtype',
    kind: 'different',

    plant: (things, ids) => things.updateMany(within(ids), { $set: { raw: new Binary(Buffer.from('00ff', 'hex'), 128) } }),
  },
  { name: 'a flag turned over', kind: 'different', plant: set({ flag: { $not: ['$flag'] } }) },
];

/** What is the same by value, or none of trueup's. */
export async function plantHarmless(things: Collection, ids: readonly number[]): Promise<void> {
  await things.updateMany(within(ids), [
    { $set: { amount: { $add: ['$amount', { $toDecimal: '0.00000000000000000000' }] }, own: 'field' } },
  ]);
  await things.updateMany(within(ids), { $unset: { note: 1 } });
}

/** `each` of every kind, at ids of their own: multiples of `step` and what follows them. Returns ids by kind. */
export async function plantDocuments(things: Collection, each: number, step: number): Promise<Map<DocumentPlant, number[]>> {
  const planted = new Map<DocumentPlant, number[]>();
  for (const [index, plant] of DOCUMENT_PLANTS.entries()) {
    const ids = Array.from({ length: each }, (_, n) => n * step + index + 1);
    await plant.plant(things, ids);
    planted.set(plant, ids);
  }
  return planted;
}

/** `count` rows whose values documents hold to the last digit. */
export async function seedForDocuments(source: TestDatabase, count: number): Promise<void> {
  await source.query(`
    create type spot as (x int, y text);
    create table public.things (
      id bigint primary key, at timestamptz not null, amount numeric not null, label text, note text, ratio float8 not null, rank int not null, size bigint not null,
      spot spot, tags text[], raw bytea, flag boolean not null);
    insert into public.things
      select n, timestamptz '2026-01-01 00:00:00.123Z' + n * interval '1 millisecond', n + 0.1234560000000000001, '', null, 0, n % 7, n,
        row(n % 5, 'y')::spot, array['a', 'b'], '\\x00ff', n % 2 = 0
      from generate_series(1, ${count}) as n;
    create index on public.things (at, id);
    analyze public.things`);
}

/** Every document that is written from now on, by the server's own change stream: whoever looks at it later sees that no other was touched. */
export async function watchDocuments(database: Db, name: string): Promise<{ ids(): Promise<number[]> }> {
  // The time of the last write before is included: that write must be none that counts.
  await database.collection('begin').insertOne({ at: new Date() });
  const { operationTime } = await database.command({ ping: 1 });
  return {
    async ids() {
      const found = new Set<number>();
      const end = await database.collection('end').insertOne({ at: new Date() });
      const stream = database.watch([], { startAtOperationTime: operationTime as never });
      try {
        for await (const event of stream) {
          const { ns, documentKey } = event as {
            readonly ns?: { readonly coll: string };
            readonly documentKey?: { readonly _id: { toString(): string } };
          };
          if (ns?.coll === name) found.add(Number(documentKey?._id.toString()));
          if (documentKey?._id.toString() === end.insertedId.toString()) break;
        }
      } finally {
        await stream.close();
      }
      return [...found].toSorted((a, b) => a - b);
    },
  };
}
