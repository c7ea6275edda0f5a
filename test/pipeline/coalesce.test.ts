import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cell, Row } from '../../src/model/cell.ts';
import { OP } from '../../src/model/change.ts';
import type { MappedBatch } from '../../src/model/contracts.ts';
import { cellRecords } from '../../src/model/records.ts';
import { coalesce } from '../../src/pipeline/write/coalesce.ts';

const shape = {
  fields: [
    { name: 'id', type: 'int32', nullable: false },
    { name: 'a', type: 'text', nullable: true },
    { name: 'b', type: 'text', nullable: true },
  ],
  key: [0],
  open: false,
} as const;

function batchOf(changes: readonly (readonly [number, ...Cell[]])[]): MappedBatch {
  return {
    stream: 's',
    shape,
    records: cellRecords({ rows: changes.map(([, ...row]) => row), bytes: changes.length * 10 }),
    ops: Uint8Array.from(changes, ([op]) => op),
    distinctKeys: false,
    cursor: null,
    position: { text: '' },
  };
}

/** A table by key, and which keys must be looked up: what a batch means when its changes are applied one by one. */
interface Meaning {
  readonly rows: Map<number, Row>;
  readonly lookedUp: Set<number>;
}

function applyOneByOne(changes: readonly (readonly [number, ...Cell[]])[], before: ReadonlyMap<number, Row>): Meaning {
  const rows = new Map(before);
  const lookedUp = new Set<number>();
  for (const [op, ...row] of changes) {
    const id = row[0] as number;
    if (op === OP.truncate) {
      rows.clear();
      lookedUp.clear();
      continue;
    }
    if (op === OP.delete) rows.delete(id);
    else if (op === OP.upsert) rows.set(id, row);
    else if (rows.has(id))
      rows.set(
        id,
        row.map((cell, field) => (cell === undefined ? (rows.get(id) as Row)[field] : cell)),
      );
    else lookedUp.add(id);
    if (op === OP.delete || op === OP.upsert) lookedUp.delete(id);
  }
  return { rows, lookedUp };
}

type Change = readonly [number, ...Cell[]];

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant(OP.upsert),
      fc.integer({ min: 1, max: 4 }),
      fc.string({ maxLength: 2 }),
      fc.option(fc.string({ maxLength: 2 })),
    ) as fc.Arbitrary<Change>,
  },
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constant(OP.patch),
      fc.integer({ min: 1, max: 4 }),
      fc.option(fc.string({ maxLength: 2 }), { nil: undefined }),
      fc.option(fc.string({ maxLength: 2 }), { nil: undefined }),
    ) as fc.Arbitrary<Change>,
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constant(OP.delete),
      fc.integer({ min: 1, max: 4 }),
      fc.constant(undefined),
      fc.constant(undefined),
    ) as fc.Arbitrary<Change>,
  },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constant(OP.truncate),
      fc.constant(undefined),
      fc.constant(undefined),
      fc.constant(undefined),
    ) as fc.Arbitrary<Change>,
  },
);

describe('coalesce', () => {
  it('keeps the last upsert of a key', () => {
    const { parts, coalesced } = coalesce(
      batchOf([
        [OP.upsert, 1, 'x', null],
        [OP.upsert, 2, 'y', null],
        [OP.upsert, 1, 'z', null],
      ]),
    );
    expect(parts.map((part) => part.batch.records.rows())).toEqual([
      [
        [2, 'y', null],
        [1, 'z', null],
      ],
    ]);
    expect([...(parts[0]?.origin ?? [])]).toEqual([1, 2]);
    expect(coalesced).toBe(1);
  });

  it('hands a batch of distinct keys through as it is', () => {
    const batch = batchOf([
      [OP.upsert, 1, 'x', null],
      [OP.delete, 2, undefined, undefined],
    ]);
    const { parts } = coalesce(batch);
    expect(parts[0]?.origin).toBeNull();
    expect(parts[0]?.batch.records).toBe(batch.records);
  });

  it('tells the absent from NULL when a patch folds', () => {
    const { parts } = coalesce(
      batchOf([
        [OP.upsert, 1, 'x', 'y'],
        [OP.patch, 1, null, undefined],
      ]),
    );
    expect(parts[0]?.batch.records.rows()).toEqual([[1, null, 'y']]);
    expect([...(parts[0]?.batch.ops ?? [])]).toEqual([OP.upsert]);
  });

  it('looks a key up again when a patch follows its delete', () => {
    const { parts, touches, coalesced } = coalesce(
      batchOf([
        [OP.delete, 1, undefined, undefined],
        [OP.patch, 1, 'x', undefined],
      ]),
    );
    expect(parts).toEqual([]);
    expect(touches).toEqual([1]);
    expect(coalesced).toBe(1);
  });

  it('makes a truncate a barrier', () => {
    const { parts, coalesced } = coalesce(
      batchOf([
        [OP.upsert, 1, 'x', null],
        [OP.truncate, undefined, undefined, undefined],
        [OP.upsert, 2, 'y', null],
      ]),
    );
    expect(parts.map((part) => [...(part.batch.ops ?? [])])).toEqual([[OP.truncate], [OP.upsert]]);
    expect(coalesced).toBe(1);
  });

  it('means the same as its changes one by one, and loses count of none', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 14 }), (changes) => {
        const before = new Map<number, Row>([
          [1, [1, 'old', 'old']],
          [2, [2, 'old', null]],
        ]);
        const wanted = applyOneByOne(changes, before);
        const { parts, touches, coalesced } = coalesce(batchOf(changes));
        const written = parts.flatMap(({ batch }) =>
          batch.records.rows().map((row, index) => [batch.ops?.[index] ?? OP.upsert, ...row] as [number, ...Cell[]]),
        );
        const got = applyOneByOne(written, before);
        const lookedUp = new Set([...got.lookedUp, ...touches.map((index) => changes[index]?.[1] as number)]);
        for (const id of lookedUp) got.rows.delete(id);
        for (const id of lookedUp) wanted.rows.delete(id);
        expect(got.rows).toEqual(wanted.rows);
        for (const id of wanted.lookedUp) expect(lookedUp.has(id)).toBe(true);
        expect(written.length + touches.length + coalesced).toBe(changes.length);
      }),
      { numRuns: 2_000 },
    );
  });
});
