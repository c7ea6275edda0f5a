import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { options } from '../../../connectors/file/options.ts';
import { openFileSource } from '../../../connectors/file/source.ts';
import type { ConnectorContext, FetchRequest, Source, StreamRef } from '../../../src/sdk.ts';
import type { SourceFixture, TestRecord } from '../../../src/testing/index.ts';
import { fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export { NEVER, fetchRequest, rowsOf, cursorAfter } from '../source-reads.ts';

export type More = Readonly<Record<string, unknown>>;

export function testContext(baseDir = '/'): ConnectorContext {
  const quiet = () => undefined;
  return { connection: 'test', baseDir, log: { debug: quiet, info: quiet, error: quiet, warn: quiet } };
}

export interface Folder {
  readonly path: string;
  write(name: string, text: string | Buffer): Promise<void>;
  append(name: string, text: string | Buffer): Promise<void>;
  remove(): Promise<void>;
}

export async function openFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'trueup-file-'));
  return {
    path,
    write: (name, text) => writeFile(join(path, name), text),
    append: (name, text) => appendFile(join(path, name), text),
    remove: () => rm(path, { recursive: true, force: true }),
  };
}

export function openSource(path: string, more: More = {}): Source {
  return openFileSource(options.parse({ path, ...more }), testContext());
}

export function streamRef(name: string, more: Partial<StreamRef> = {}): StreamRef {
  return { name, changes: { by: 'log' }, key: ['id'], fields: null, except: [], maxRecordBytes: 16 * 1024 * 1024, ...more };
}

/** One drain as a process of its own would do it. */
export async function drainOnce(path: string, ref: StreamRef, more: Partial<FetchRequest> & { readonly options?: More } = {}) {
  const { options: given, ...asked } = more;
  const source = openSource(path, given);
  try {
    const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, asked)));
    const rejected = batches.flatMap((batch) => batch.rejected ?? []);
    return { batches, rejected, rows: rowsOf(batches), cursor: cursorAfter(batches, more.after ?? null) };
  } finally {
    await source.close();
  }
}

const PACK = {
  none: (text: string) => Buffer.from(text),
  gzip: (text: string) => gzipSync(text),
  zstd: (text: string) => zstdCompressSync(text),
};
const ENDS = { none: '', gzip: '.gz', zstd: '.zst' };

export interface FixtureFiles {
  readonly text: 'csv' | 'jsonl';
  readonly compression?: keyof typeof PACK;
  /** Every write makes a file of its own. */
  readonly parts?: boolean;
  readonly by?: 'log' | 'snapshot';
}

/** `things.csv` or another in a folder of its own. A change of a record is one more line with its key. */
export async function sourceFixture({ text, compression = 'none', parts = false, by = 'log' }: FixtureFiles): Promise<SourceFixture> {
  const folder = await openFolder();
  const name = `things.${text}${ENDS[compression]}`;
  const pack = PACK[compression];
  let part = 0;
  const header = text === 'csv' ? 'id,label,extra\r\n' : '';
  const given = {
    poll: '20ms',
    streams: { things: { files: parts ? `things-*.${text}` : name, key: ['id'], fields: { id: 'int64', label: 'text', extra: 'json' } } },
  };
  if (!parts) await folder.write(name, compression === 'none' || header === '' ? header : pack(header));
  const add = async (records: readonly TestRecord[]): Promise<void> => {
    const lines = records.map((record) => lineOf(text, record)).join('');
    part += 1;
    if (parts) await folder.write(`things-${String(part).padStart(4, '0')}.${text}`, pack(header + lines));
    else await folder.append(name, pack(lines));
  };
  return {
    stream: streamRef('things', { changes: { by } }),
    fields: { id: 'id', label: 'label' },
    open: () => openSource(folder.path, given),
    insert: add,
    update: add,
    close: () => folder.remove(),
  };
}

function lineOf(text: 'csv' | 'jsonl', { id, label }: TestRecord): string {
  const extra = { a: [id, null], 'b,"c': 1.5 };
  if (text === 'jsonl') return `${JSON.stringify({ id, label, extra })}\n`;
  const quoted = (value: string) => `"${value.replaceAll('"', '""')}"`;
  return `${id},${label === null ? '' : quoted(label)},${quoted(JSON.stringify(extra))}\r\n`;
}
