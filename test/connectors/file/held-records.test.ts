import { readdir, readlink } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { holdRecords } from '../../../connectors/file/held-records.ts';
import { openSeenKeys } from '../../../connectors/file/seen-keys.ts';
import { openSlabs } from '../../../connectors/file/slabs.ts';
import type { Batch, Records } from '../../../src/sdk.ts';
import { fetchRequest, openFolder, openSource, streamRef } from './source-kit.ts';

describe('records that wait', () => {
  it('are the bytes that came, whatever becomes of the piece they came in, and rows once they are looked at', () => {
    const held = holdRecords(openSlabs());
    const texts = Array.from({ length: 3000 }, (_, index) => `${index},é${'x'.repeat(index % 97)}`).concat('y'.repeat(700_000), '');
    for (const text of texts) {
      const piece = Buffer.from(text);
      held.add(piece);
      piece.fill(0);
    }
    let made = 0;
    const records = held.records((text) => [text, (made += 1)]);
    expect([records.count, records.bytes]).toEqual([texts.length, Buffer.byteLength(texts.join(''))]);
    expect(made).toBe(0);
    expect([...(records.scan?.() ?? [])].map(([text]) => text)).toEqual(texts);
    expect(records.rows().map(([text]) => text)).toEqual(texts);
    expect(records.slice(2999, 3001).rows()).toEqual(records.rows().slice(2999, 3001));
    expect(made).toBe(2 * texts.length);
  });

  it('share their memory with the next only once they were given up, and say so to whoever looks later', () => {
    const pool = openSlabs();
    const make = (from: number): Records => {
      const held = holdRecords(pool);
      for (let index = 0; index < 10_000; index++) held.add(Buffer.from(`${from + index}`));
      return held.records((text) => [text]);
    };
    const first = make(0);
    const scan = first.scan?.()[Symbol.iterator]();
    expect(scan?.next().value).toEqual(['0']);
    expect(first.rows()).toHaveLength(10_000);
    const second = make(50_000);
    expect(scan?.next().value).toEqual(['1']);
    second.release?.();
    expect(() => second.rows()).toThrow(/given up/);
    const third = make(90_000);
    expect(first.rows()[9_999]).toEqual(['9999']);
    expect(third.rows()[0]).toEqual(['90000']);
    const taken = pool.take(1);
    third.release?.();
    pool.give([taken]);
    expect(pool.take(1)).toBe(taken);
  });

  it('know keys that differ from keys that do not, however many, composite ones too', () => {
    const seen = openSeenKeys();
    for (let id = 0n; id < 200_000n; id++) seen.add([id]);
    expect(seen.distinct).toBe(true);
    seen.add([4711n]);
    expect(seen.distinct).toBe(false);
    seen.clear();
    for (const key of [
      ['a', 'bc'],
      ['ab', 'c'],
      ['', 'abc'],
      ['abc', ''],
    ])
      seen.add(key);
    expect(seen.distinct).toBe(true);
    seen.add([true]);
    expect(seen.distinct).toBe(false);
  });

  it('say of their keys that they differ only where they do, and make short batches of many small cells', async () => {
    const folder = await openFolder();
    await folder.write('a.csv', `id,b,c,d\n${Array.from({ length: 1000 }, (_, id) => `${id},,,\n`).join('')}`);
    await folder.write('b.csv', 'id,b\n1,x\n2,y\n1,z\n');
    const source = openSource(folder.path);
    const read = async (name: string, batchBytes: number) =>
      Array.fromAsync(source.fetchChanges(fetchRequest(source, streamRef(name), { batchBytes })));
    const small = (await read('a.csv', 24 * 4 * 100)).filter(({ stream }) => stream !== null);
    expect(Math.max(...small.map(({ records }) => records.count))).toBeLessThan(100);
    expect(small.every(({ distinctKeys }) => distinctKeys)).toBe(true);
    expect((await read('b.csv', 1_000_000))[0]).toMatchObject({ distinctKeys: false, records: { count: 3 } });
    await source.close();
    await folder.remove();
  });

  it('stay readable when somebody else learns of another type meanwhile, and leave no file open when nobody wants more', async () => {
    const folder = await openFolder();
    const lines = (from: number, value: string) => Array.from({ length: 50 }, (_, id) => `${from + id},${value}\n`).join('');
    await folder.write('a.csv', `id,x\n${lines(0, '5')}${lines(50, 'five')}`);
    const source = openSource(folder.path, { sample: 10 });
    const request = fetchRequest(source, streamRef('a.csv'), { batchRows: 20 });
    const first = source.fetchChanges(request)[Symbol.asyncIterator]();
    const early = (await first.next()).value as Batch;
    await Array.fromAsync(source.fetchChanges(request));
    const later = (await first.next()).value as Batch;
    expect(early.records.rows()[0]).toEqual([0n, 5n]);
    expect(later.records.rows()[0]).toEqual([20n, '5']);
    await first.return?.();
    if (process.platform === 'linux') expect(await openIn(folder.path)).toEqual([]);
    await source.close();
    await folder.remove();
  });
});

/** Files of a folder that this process has open. */
async function openIn(folder: string): Promise<string[]> {
  const links = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return links.filter((path) => path.startsWith(folder));
}
