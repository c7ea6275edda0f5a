import { OP, cellRecords } from 'trueup/sdk';
import type { Lane, MappedBatch, Row, TargetStream } from 'trueup/sdk';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createFile } from './folder.ts';
import type { TestFile } from './folder.ts';

const NEVER = new AbortController().signal;
const OWNER = { job: 'job', run: 'run', epoch: 1, process: { host: 'here', pid: 1, started: '' } };
const LINES: TargetStream = {
  stream: 'lines',
  target: 'lines',
  shape: {
    fields: [
      { name: 'parent', type: 'int64', nullable: false },
      { name: 'line', type: 'int32', nullable: false },
      { name: 'weight', type: 'float64', nullable: true },
    ],
    key: [0, 1],
    open: false,
  },
  onDelete: 'delete',
  drift: { add: 'evolve', drop: 'keep', retype: 'widen' },
  onLoss: ['error', 'error', 'error'],
};

interface Writer {
  readonly file: TestFile;
  readonly lane: Lane;
  write(batch: MappedBatch): Promise<unknown>;
  rows(): unknown[];
}

async function openWriter(stream: TargetStream = LINES, schema = ''): Promise<Writer> {
  const file = createFile();
  const target = file.target();
  file.database.exec(schema);
  await target.apply(await target.plan([stream], NEVER), NEVER);
  const lane = await target.openLane({ owner: OWNER, streams: [stream], checkpoints: false }, NEVER);
  onTestFinished(async () => {
    await lane.close();
    await target.close();
    await file.close();
  });
  return {
    file,
    lane,
    write: async (written) => {
      const faults = await lane.bulkUpsert(written, NEVER);
      const { streams, conversions } = await lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER);
      return { ...streams['lines'], faults: faults.map(({ index, code }) => [index, code]), conversions };
    },
    rows: () =>
      file.database
        .prepare('select * from lines order by parent, line')
        .all()
        .map((row) => Object.values(row)),
  };
}

function batch(rows: Row[], op: number = OP.upsert): MappedBatch {
  const ops = new Uint8Array(rows.length).fill(op);
  return {
    stream: 'lines',
    shape: LINES.shape,
    records: cellRecords({ rows, bytes: 1 }),
    ops,
    distinctKeys: true,
    cursor: null,
    position: { text: '' },
  };
}

describe('the sqlite target', () => {
  it('replaces the rows of a parent by those that are listed', async () => {
    const { write, rows } = await openWriter();
    await write(batch([[1n, 1, 0.5], [1n, 2, 1.5], [2n, 1, 2.5], [3n, 1, 3.5]])); // prettier-ignore
    const replaced = { ...batch([[1n, 2, 1.5], [1n, 3, 4.5]]), replaceWithin: { fields: [0], parents: [[1n], [2n]] } }; // prettier-ignore
    expect(await write(replaced)).toMatchObject({ upserted: 1, unchanged: 1, deleted: 2 });
    expect(rows()).toEqual([
      [1, 2, 1.5],
      [1, 3, 4.5],
      [3, 1, 3.5],
    ]);
  });

  it('marks deleted rows with the time, once, and takes the mark away when the row comes back', async () => {
    const { write, rows } = await openWriter({ ...LINES, onDelete: { mark: 'gone' } });
    await write(batch([[1n, 1, 0.5]]));
    const remove = batch([[1n, 1, undefined]], OP.delete);
    expect(await write(remove)).toMatchObject({ deleted: 1 });
    expect(await write(remove)).toMatchObject({ deleted: 0, unchanged: 1 });
    expect(rows()).toEqual([[1, 1, 0.5, expect.any(Number)]]);
    expect(await write(batch([[1n, 1, 0.5]]))).toMatchObject({ upserted: 1 });
    expect(rows()).toEqual([[1, 1, 0.5, null]]);
  });

  it('makes neither NULL of NaN nor 0 of -0 without being told to, and counts it', async () => {
    const strict = await openWriter();
    expect(await strict.write(batch([[1n, 1, NaN], [1n, 2, -0], [1n, 3, Infinity]]))).toMatchObject({ upserted: 1, faults: [[0, 'E_RECORD_LOSS'], [1, 'E_RECORD_LOSS']] }); // prettier-ignore
    const loose = await openWriter({ ...LINES, onLoss: ['error', 'error', 'null'] });
    expect(await loose.write(batch([[1n, 1, NaN]]))).toMatchObject({
      upserted: 1,
      conversions: [{ stream: 'lines', field: 'weight', kind: 'null', count: 1 }],
    });
  });

  it('tells a row that the table refuses at the commit by its fault, with nothing written', async () => {
    const { lane, rows, write } = await openWriter(
      LINES,
      'create table lines (parent int not null, line int not null, weight real check (weight < 5), primary key (parent, line))',
    );
    await lane.bulkUpsert(batch([[1n, 1, 1], [1n, 2, 7]]), NEVER); // prettier-ignore
    await expect(lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER)).rejects.toMatchObject({ code: 'E_RECORD_VALUE' });
    await lane.discard();
    expect(rows()).toEqual([]);
    await write(batch([[1n, 1, 1]]));
    expect(rows()).toEqual([[1, 1, 1]]);
  });

  it('locks nobody out before its commit, and waits for others', async () => {
    const { file, lane, rows } = await openWriter();
    await lane.bulkUpsert(batch([[1n, 1, 1]]), NEVER);
    file.database.exec('begin immediate; insert into lines values (9, 9, 9)');
    const commit = lane.commit({ checkpoints: [], letters: [], resolved: [] }, NEVER);
    setTimeout(() => file.database.exec('commit'), 100);
    await commit;
    expect(rows()).toEqual([
      [1, 1, 1],
      [9, 9, 9],
    ]);
  });

  it('says in the plan what would change values, or cannot be held', async () => {
    const file = createFile();
    onTestFinished(() => file.close());
    file.database.exec('create table lines (parent text, line int, weight text)');
    const shape = { ...LINES.shape, fields: [...LINES.shape.fields, { name: 'tags', type: { list: 'text' } as const, nullable: true }] };
    const target = file.target();
    const plan = await target.plan([{ ...LINES, shape }], NEVER);
    await target.close();
    expect(plan.streams[0]?.problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^E_MAPPING_TYPE Field 'tags' is list<text>/),
      expect.stringMatching(/^E_STREAM_KEY Nothing keeps parent, line unique/),
      expect.stringMatching(/^E_DRIFT Column 'parent' of table 'lines' is TEXT/i),
      expect.stringMatching(/^E_DRIFT Column 'weight' of table 'lines' is TEXT/i),
    ]);
  });
});
