import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TrueupError } from '../../src/errors.ts';
import type { Lane, MappedBatch, RecordFault } from '../../src/model/contracts.ts';
import { cellRecords } from '../../src/model/records.ts';
import { writeApart } from '../../src/pipeline/write/write-apart.ts';

const signal = new AbortController().signal;

function batchOf(count: number): MappedBatch {
  const shape = { fields: [{ name: 'id', type: 'int32', nullable: false }], key: [0], open: false } as const;
  return {
    stream: 's',
    shape,
    records: cellRecords({ rows: Array.from({ length: count }, (_, id) => [id]), bytes: count }),
    ops: null,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}

/** A lane that refuses whole batches because of some records, as a database does. `named`: it says which. */
function pickyLane(bad: ReadonlySet<number>, named: boolean): { readonly lane: Lane; readonly written: number[]; calls(): number } {
  const written: number[] = [];
  let calls = 0;
  const lane: Lane = {
    bulkUpsert(batch) {
      calls += 1;
      const ids = batch.records.rows().map((row) => row[0] as number);
      const index = ids.findIndex((id) => bad.has(id));
      if (index >= 0) return Promise.reject(new TrueupError('E_RECORD_VALUE', 'bad', named ? { recordIndex: index } : {}));
      written.push(...ids);
      return Promise.resolve([]);
    },
    commit: () => Promise.reject(new Error('not used')),
    discard: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return { lane, written, calls: () => calls };
}

describe('writing a batch with bad records', () => {
  it.each([false, true])('writes exactly the good ones, in order (the target names the record: %s)', async (named) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.uniqueArray(fc.integer({ min: 0, max: 199 }), { maxLength: 12 }),
        async (count, ids) => {
          const bad = new Set(ids.filter((id) => id < count));
          const { lane, written } = pickyLane(bad, named);
          const faults: RecordFault[] = [];
          await writeApart(lane, batchOf(count), (fault) => faults.push(fault), signal);
          expect(written).toEqual(Array.from({ length: count }, (_, id) => id).filter((id) => !bad.has(id)));
          expect(faults.map((fault) => fault.index).sort((a, b) => a - b)).toEqual([...bad].sort((a, b) => a - b));
        },
      ),
    );
  });

  it('finds one bad record of 10,000 in few attempts', async () => {
    const halving = pickyLane(new Set([6_789]), false);
    await writeApart(halving.lane, batchOf(10_000), () => {}, signal);
    expect(halving.calls()).toBeLessThanOrEqual(29);
    const told = pickyLane(new Set([6_789]), true);
    await writeApart(told.lane, batchOf(10_000), () => {}, signal);
    expect(told.calls()).toBe(4);
  });

  it('does not search when the fault is not a record’s', async () => {
    const lane: Lane = {
      ...pickyLane(new Set(), false).lane,
      bulkUpsert: () => Promise.reject(new TrueupError('E_CONNECTION_LOST', 'gone')),
    };
    await expect(writeApart(lane, batchOf(10), () => {}, signal)).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' });
  });

  it('ends the search when the caller has had enough', async () => {
    const { lane, calls } = pickyLane(new Set(Array.from({ length: 1_000 }, (_, id) => id)), false);
    let faults = 0;
    await expect(
      writeApart(
        lane,
        batchOf(1_000),
        () => {
          faults += 1;
          if (faults > 5) throw new TrueupError('E_LETTERS', 'too many');
        },
        signal,
      ),
    ).rejects.toMatchObject({ code: 'E_LETTERS' });
    expect(calls()).toBeLessThan(40);
  });
});
