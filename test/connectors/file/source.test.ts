import { typeText } from '../../../src/sdk.ts';
import { copyFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { drainOnce, openFolder, openSource, streamRef, NEVER, fetchRequest, rowsOf } from './source-kit.ts';
import type { Folder } from './source-kit.ts';

let folder: Folder;
beforeEach(async () => {
  folder = await openFolder();
});
afterEach(() => folder.remove());

const lost = { code: 'E_POSITION_LOST' };

describe('what a file holds', () => {
  it('reads BOM, CRLF, quoted line ends, NULL and the empty text apart, and every digit', async () => {
    await folder.write('a.csv', '\ufeffid,total,label,note\r\n1,1.50,"a\r\nb",\r\n\r\n9007199254740993,-0.10,"",x\r\n');
    const { rows, rejected } = await drainOnce(folder.path, streamRef('a.csv'));
    expect(rejected).toEqual([]);
    expect(rows).toEqual([
      { id: 1n, total: '1.50', label: 'a\r\nb', note: null },
      { id: 9007199254740993n, total: '-0.10', label: '', note: 'x' },
    ]);
  });

  it('takes for a number only what reads back as it is', async () => {
    await folder.write('a.csv', 'id,zip,big,exp,flag,mix\n1,01234,99999999999999999999,1e3,true,1\n2,5,1,2,false,x\n');
    const source = openSource(folder.path);
    const [info] = await source.discover(NEVER);
    expect(info?.shape.fields.map(({ name, type }) => `${name} ${typeText(type)}`)).toEqual([
      'id int64',
      'zip text',
      'big decimal',
      'exp text',
      'flag bool',
      'mix text',
    ]);
    await source.close();
  });

  it('keeps every digit of JSON, and numbers and texts apart', async () => {
    await folder.write('a.jsonl', '{"id":1,"n":1.10,"mix":5,"doc":{"x":12345678901234567890.5}}\n{"id":2,"mix":"5"}\n');
    const { rows } = await drainOnce(folder.path, streamRef('a.jsonl'));
    expect(rows).toEqual([
      { id: 1n, n: '1.10', mix: '5', doc: '{"x":12345678901234567890.5}' },
      { id: 2n, n: null, mix: '"5"', doc: null },
    ]);
  });

  it('sets malformed records aside with file, line and column, and reads on', async () => {
    await folder.write('a.csv', 'id,day\n1,2026-01-01\n2,5" pipe\n3\nx,2026-01-01\n5,2026-13-01\n6,2026-01-06\n');
    const { rows, rejected } = await drainOnce(folder.path, streamRef('a.csv'), {
      options: { streams: { 'a.csv': { fields: { id: 'int64', day: 'date' } } } },
    });
    expect(rows.map(({ id }) => id)).toEqual([1n, 6n]);
    expect(rejected.map(({ position, code, key }) => [position, code, key])).toEqual([
      ['a.csv:3:4', 'E_RECORD_UNREADABLE', undefined],
      ['a.csv:4:1', 'E_RECORD_UNREADABLE', undefined],
      ['a.csv:5:1', 'E_RECORD_UNREADABLE', undefined],
      ['a.csv:6:3', 'E_RECORD_UNREADABLE', [5n]],
    ]);
    expect(rejected.map(({ message }) => message).join()).not.toContain('2026-13');
  });

  it('sets aside what is no JSON, no object or no UTF-8', async () => {
    await folder.write(
      'a.jsonl',
      Buffer.concat([Buffer.from('{"id":1}\n{"id":2,\n[3]\n{"id":4,"x":"'), Buffer.from([0xff, 0xc3]), Buffer.from('"}\n{"id":5}\n')]),
    );
    const { rows, rejected } = await drainOnce(folder.path, streamRef('a.jsonl'));
    expect(rows.map(({ id }) => id)).toEqual([1n, 5n]);
    expect(rejected.map(({ position }) => position)).toEqual(['a.jsonl:2:9', 'a.jsonl:3:1', 'a.jsonl:4:1']);
  });

  it('reads deletes from a field that says so', async () => {
    await folder.write('a.jsonl', '{"id":1,"op":"upsert","x":1}\n{"id":2,"op":"c","x":1}\n{"id":1,"op":"delete"}\n{"id":3,"op":"?"}\n');
    const { batches, rejected } = await drainOnce(folder.path, streamRef('a.jsonl'), { options: { op: 'op' } });
    expect([...(batches[0]?.ops ?? [])]).toEqual([0, 0, 2]);
    expect(batches[0]?.shape.fields.map(({ name }) => name)).toEqual(['id', 'x']);
    expect(rejected.map(({ position }) => position)).toEqual(['a.jsonl:4:1']);
  });

  it('grows by a field or a type that comes late, in a shape of its own', async () => {
    await folder.write('a.jsonl', `${'{"id":1}\n'.repeat(5)}{"id":2,"late":true}\n{"id":3,"late":"x"}\n`);
    const source = openSource(folder.path, { sample: 3 });
    const ref = streamRef('a.jsonl');
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref)));
    expect(batches.map(({ shape }) => shape.fields.map(({ name, type }) => `${name} ${typeText(type)}`))).toEqual([
      ['id int64'],
      ['id int64', 'late bool'],
      ['id int64', 'late json'],
    ]);
    expect(rowsOf(batches).slice(-2)).toEqual([
      { id: 2n, late: true },
      { id: 3n, late: '"x"' },
    ]);
    const [plan] = (await source.plan([ref], NEVER)).streams;
    expect(plan?.shape).toEqual(batches.at(-1)?.shape);
    await source.close();
  });

  it('refuses a file of a stream that lacks columns', async () => {
    await folder.write('a-1.csv', 'id,x\n1,2\n');
    await folder.write('a-2.csv', 'id\n2\n');
    await expect(drainOnce(folder.path, streamRef('a'), { options: { streams: { a: { files: 'a-*.csv' } } } })).rejects.toMatchObject({
      code: 'E_PLAN_CHANGED',
      message: expect.stringContaining("'a-2.csv' has no column 'x'"),
    });
  });

  it.each(['id,\n1,2\n', 'id,id\n1,2\n', 'id,"x\n1,2\n'])('refuses the header of %j', async (text) => {
    await folder.write('a.csv', `${text}${text.includes('"') ? '"y\n' : ''}`);
    const source = openSource(folder.path);
    const [plan] = (await source.plan([streamRef('a.csv')], NEVER)).streams;
    expect(plan?.problems.map(({ code, message }) => `${code} ${message}`).join()).toMatch(/E_CONFIG_INVALID a\.csv:1: the header/);
    await source.close();
  });
});

describe('the end of a file', () => {
  it.each(['{"id":2,"x":"', '{"id":2,"x":"é'.slice(0, -1), '{"id":2,"x":"y"}'])(
    'waits for a line that is being written: %s',
    async (half) => {
      const bytes = Buffer.from('{"id":2,"x":"é"}\n');
      const part = half.endsWith('"') && !half.includes('y') ? bytes.subarray(0, bytes.indexOf(0xc3) + 1) : Buffer.from(half);
      await folder.write('a.jsonl', Buffer.concat([Buffer.from('{"id":1,"x":"a"}\n'), part]));
      const first = await drainOnce(folder.path, streamRef('a.jsonl'));
      expect(first.rows.map(({ id }) => id)).toEqual([1n]);
      await folder.append('a.jsonl', half.endsWith('}') ? '\n' : part.at(-1) === 0xc3 ? bytes.subarray(part.length) : 'é"}\n');
      const second = await drainOnce(folder.path, streamRef('a.jsonl'), { after: first.cursor });
      expect(second.rejected).toEqual([]);
      expect(second.rows.map(({ id }) => id)).toEqual([2n]);
    },
  );

  it('says of a last line without an end that it is waited for', async () => {
    await folder.write('a.csv', 'id\n1\n2');
    const source = openSource(folder.path);
    const ref = streamRef('a.csv');
    const [plan] = (await source.plan([ref], NEVER)).streams;
    expect(plan?.problems).toMatchObject([{ severity: 'warning', code: 'E_CHANGES_LIMITED' }]);
    await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref)));
    expect(await source.heldBack?.(source.feeds([ref])[0] as never, NEVER)).toMatchObject({ by: expect.stringContaining('a.csv') });
    await source.close();
  });

  it('delivers it where the file is closed, once, and again when more came of it', async () => {
    await folder.write('a.csv', 'id,x\n1,a\n2,b');
    const options = { closed: true };
    const first = await drainOnce(folder.path, streamRef('a.csv'), { options });
    expect(first.rows.map(({ id }) => id)).toEqual([1n, 2n]);
    expect((await drainOnce(folder.path, streamRef('a.csv'), { options, after: first.cursor })).rows).toEqual([]);
    await folder.append('a.csv', 'c\n3,d\n');
    const third = await drainOnce(folder.path, streamRef('a.csv'), { options, after: first.cursor });
    expect(third.rows).toEqual([
      { id: 2n, x: 'bc' },
      { id: 3n, x: 'd' },
    ]);
  });

  it('reads a compressed file that is cut off up to its last whole record, and the rest when it is whole', async () => {
    const packed = gzipSync(Array.from({ length: 5000 }, (_, id) => `{"id":${id},"x":"${(id * 7919) % 100_003}"}\n`).join(''));
    await folder.write('a.jsonl.gz', packed.subarray(0, packed.length >> 1));
    const first = await drainOnce(folder.path, streamRef('a.jsonl.gz'));
    expect(first.rows.length).toBeGreaterThan(1000);
    expect(first.rejected).toEqual([]);
    await folder.append('a.jsonl.gz', packed.subarray(packed.length >> 1));
    const second = await drainOnce(folder.path, streamRef('a.jsonl.gz'), { after: first.cursor });
    expect([...first.rows, ...second.rows].map(({ id }) => Number(id))).toEqual(Array.from({ length: 5000 }, (_, id) => id));
  });

  it('refuses compressed data that is damaged', async () => {
    const packed = gzipSync('{"id":1}\n'.repeat(1000));
    packed[packed.length - 6] = (packed.at(-6) as number) ^ 1;
    await folder.write('a.jsonl.gz', packed);
    await expect(drainOnce(folder.path, streamRef('a.jsonl.gz'))).rejects.toMatchObject(lost);
  });
});

describe('a file that is not what it was', () => {
  const text = Array.from({ length: 100 }, (_, id) => `{"id":${id}}\n`).join('');
  const start = async () => {
    await folder.write('a.jsonl', text);
    return (await drainOnce(folder.path, streamRef('a.jsonl'), { batchRows: 40 })).batches[1]?.cursor ?? null;
  };

  it('has lost its position when it was truncated', async () => {
    const after = await start();
    await folder.write('a.jsonl', text.slice(0, 100));
    await expect(drainOnce(folder.path, streamRef('a.jsonl'), { after })).rejects.toMatchObject(lost);
  });

  it('has lost it when it was rewritten, though longer and with the same beginning', async () => {
    const after = await start();
    const at = text.indexOf('{"id":79}');
    await folder.write('a.jsonl', `${text.slice(0, at)}{"id":77}${text.slice(at + 9)}${text}`);
    await expect(drainOnce(folder.path, streamRef('a.jsonl'), { after })).rejects.toMatchObject(lost);
  });

  it('has lost it when another file took its place, though it begins the same', async () => {
    const after = await start();
    await copyFile(join(folder.path, 'a.jsonl'), join(folder.path, 'b.tmp'));
    await rename(join(folder.path, 'b.tmp'), join(folder.path, 'a.jsonl'));
    await expect(drainOnce(folder.path, streamRef('a.jsonl'), { after })).rejects.toMatchObject(lost);
  });

  it('goes on under another name', async () => {
    const options = { streams: { logs: { files: 'a*.jsonl' } } };
    await folder.write('a.jsonl', text);
    const first = await drainOnce(folder.path, streamRef('logs'), { options });
    await folder.append('a.jsonl', '{"id":100}\n');
    await rename(join(folder.path, 'a.jsonl'), join(folder.path, 'a1.jsonl'));
    await folder.write('a.jsonl', '{"id":101}\n');
    const second = await drainOnce(folder.path, streamRef('logs'), { options, after: first.cursor });
    expect(second.rows.map(({ id }) => id)).toEqual([101n, 100n]);
    expect((await drainOnce(folder.path, streamRef('logs'), { options, after: second.cursor })).rows).toEqual([]);
  });

  it('may be gone once it was read to its end, and not before', async () => {
    const options = { streams: { logs: { files: 'a*.jsonl' } } };
    await folder.write('a1.jsonl', text);
    const { batches, cursor } = await drainOnce(folder.path, streamRef('logs'), { options, batchRows: 40 });
    await rename(join(folder.path, 'a1.jsonl'), join(folder.path, 'away'));
    await folder.write('a2.jsonl', '{"id":7}\n');
    const next = await drainOnce(folder.path, streamRef('logs'), { options, after: cursor });
    expect(next.rows.map(({ id }) => id)).toEqual([7n]);
    await expect(drainOnce(folder.path, streamRef('logs'), { options, after: batches[0]?.cursor ?? null })).rejects.toMatchObject(lost);
  });
});

it('delivers each record once while somebody appends in pieces of any size', { timeout: 30_000 }, async () => {
  const lines = Array.from({ length: 3000 }, (_, id) => `${id},"é\n${'x'.repeat(id % 50)}"\n`).join('');
  const bytes = Buffer.from(`id,x\n${lines}`);
  await folder.write('a.csv', '');
  const ids: number[] = [];
  let after = null;
  let at = 0;
  let turn = 1;
  while (at < bytes.length) {
    const size = (turn * 7919) % 4001;
    await folder.append('a.csv', bytes.subarray(at, at + size));
    at += size;
    turn += 1;
    const read = await drainOnce(folder.path, streamRef('a.csv'), {
      after,
      batchRows: 100,
      options: { streams: { 'a.csv': { fields: { id: 'int64', x: 'text' } } } },
    });
    expect(read.rejected).toEqual([]);
    ids.push(...read.rows.map(({ id }) => Number(id)));
    after = read.cursor;
  }
  expect(ids).toEqual(Array.from({ length: 3000 }, (_, id) => id));
});

it('keeps a cursor of thousands of files within its size', { timeout: 60_000 }, async () => {
  const options = { streams: { days: { files: 'day-*.csv' } } };
  const name = (day: number) => `day-${String(day).padStart(5, '0')}.csv`;
  for (let day = 0; day < 600; day += 1) await folder.write(name(day), `id\n${day}\n`);
  const first = await drainOnce(folder.path, streamRef('days'), { options, batchRows: 100 });
  expect(first.rows.length).toBe(600);
  expect(JSON.stringify(first.cursor).length).toBeLessThan(65_536);
  await folder.write(name(600), `id\n600\n`);
  const second = await drainOnce(folder.path, streamRef('days'), { options, after: first.cursor });
  expect(second.rows.map(({ id }) => id)).toEqual([600n]);
});
