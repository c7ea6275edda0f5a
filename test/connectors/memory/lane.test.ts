import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { dropMemoryDatabase, memoryDatabase } from '../../../connectors/memory/index.ts';
import type { MemoryDatabase } from '../../../connectors/memory/index.ts';
import { openMemoryTarget } from '../../../connectors/memory/target.ts';
import type { MappedBatch, Row, TargetStream } from '../../../src/sdk.ts';
import { OP, cellRecords } from '../../../src/sdk.ts';

const NEVER = new AbortController().signal;
const STREAM: TargetStream = {
  stream: 'lines',
  target: 'lines',
  shape: {
    fields: [
      { name: 'parent', type: 'int64', nullable: false },
      { name: 'line', type: 'int32', nullable: false },
      { name: 'label', type: 'text', nullable: true },
    ],
    key: [0, 1],
    open: false,
  },
  onDelete: 'delete',
  drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
  onLoss: ['error', 'error', 'error'],
};

describe('a lane of the memory target', () => {
  it('replaces the rows of a parent by those that are listed', async () => {
    const write = await openWriter(STREAM);
    await write(
      batch([
        [1n, 1, 'a'],
        [1n, 2, 'b'],
        [2n, 1, 'c'],
        [3n, 1, 'd'],
      ]),
    );
    await write({
      ...batch([
        [1n, 2, 'b'],
        [1n, 3, 'e'],
      ]),
      replaceWithin: { fields: [0], parents: [[1n], [2n]] },
    });
    expect(write.rows()).toEqual([
      [1n, 2, 'b'],
      [3n, 1, 'd'],
      [1n, 3, 'e'],
    ]);
  });

  it('marks deleted rows with the time, once, and takes the mark away when the row comes back', async () => {
    const write = await openWriter({ ...STREAM, onDelete: { mark: 'deleted_at' } });
    await write(
      batch([
        [1n, 1, 'a'],
        [2n, 1, 'b'],
      ]),
    );
    const gone = batch([[1n, 1, undefined]], OP.delete);
    expect(await write(gone)).toMatchObject({ deleted: 1 });
    expect(await write(gone)).toMatchObject({ deleted: 0, unchanged: 1 });
    expect(write.rows()).toEqual([
      [1n, 1, 'a', 1_700_000_000_000_000n],
      [2n, 1, 'b', null],
    ]);
    expect(await write(batch([[1n, 1, 'a']]))).toMatchObject({ upserted: 1 });
    expect(write.rows()).toEqual([
      [1n, 1, 'a', null],
      [2n, 1, 'b', null],
    ]);
  });

  it('wants a new plan when a field of the batch is not there', async () => {
    const write = await openWriter(STREAM);
    const shape = { ...STREAM.shape, fields: [...STREAM.shape.fields, { name: 'note', type: 'text' as const, nullable: true }] };
    await expect(write({ ...batch([[1n, 1, 'a', 'n']]), shape })).rejects.toMatchObject({ code: 'E_PLAN_CHANGED' });
  });
});

type Writer = ((batch: MappedBatch) => Promise<unknown>) & { rows(): Row[] };

async function openWriter(stream: TargetStream): Promise<Writer> {
  const name = randomUUID();
  onTestFinished(() => dropMemoryDatabase(name));
  const database: MemoryDatabase = memoryDatabase(name);
  const target = openMemoryTarget(database, () => 1_700_000_000_000);
  await target.apply(await target.plan([stream], NEVER), NEVER);
  const owner = { job: 'job', run: 'run', epoch: 1, process: { host: 'here', pid: 1, started: '' } };
  const lane = await target.openLane({ owner, streams: [stream], checkpoints: false }, NEVER);
  const write = async (written: MappedBatch): Promise<unknown> => {
    await lane.bulkUpsert(written, NEVER);
    return (await lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER)).streams[stream.stream];
  };
  return Object.assign(write, { rows: () => database.rows(stream.target) });
}

function batch(rows: Row[], op: number = OP.upsert): MappedBatch {
  return {
    stream: STREAM.stream,
    shape: STREAM.shape,
    records: cellRecords({ rows, bytes: 1 }),
    ops: new Uint8Array(rows.length).fill(op),
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}
