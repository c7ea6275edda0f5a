import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { decompressed } from '../../../connectors/file/opened-file.ts';
import { options } from '../../../connectors/file/options.ts';
import { openFileTarget } from '../../../connectors/file/target.ts';
import { cellFromText, cellToText, jsonToCell, parseExactJson } from '../../../src/sdk.ts';
import type { Cell, ExactJson, LogicalType, Target, TargetStream } from '../../../src/sdk.ts';
import type { TargetFixture } from '../../../src/testing/index.ts';
import { Readable } from 'node:stream';
import { JSON_CARRIERS } from '../json-carriers.ts';
import { openFolder, testContext } from './source-kit.ts';
import type { More } from './source-kit.ts';

export function openTarget(path: string, more: More = {}): Target {
  return openFileTarget(options.parse({ path, ...more }), testContext());
}

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => Buffer.alloc(0));
  if (bytes.length === 0) return '';
  if (path.endsWith('.gz')) return gunzipSync(bytes).toString();
  return path.endsWith('.zst')
    ? Buffer.concat(await Array.fromAsync(decompressed(Readable.from([bytes]), 'zstd'))).toString()
    : bytes.toString();
}

type Line = { readonly op: string; readonly cell: (name: string, type: LogicalType) => Cell };

function jsonLines(text: string): Line[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const map = parseExactJson(line) as ReadonlyMap<string, ExactJson>;
    return {
      op: map.get('op') as string,
      cell: (name, type) => (map.has(name) ? jsonToCell(type, map.get(name) ?? null, name) : undefined),
    };
  });
}

/** By other code than the connector's. */
function csvLines(text: string): Line[] {
  const [header = [], ...rows] = parse(text, { cast: (value, { quoting }) => (value === '' && !quoting ? null : value) as string });
  return rows.map((cells) => ({
    op: cells[header.indexOf('op')] as string,
    cell: (name, type) => {
      const value = (cells[header.indexOf(name)] ?? null) as string | null;
      return value === null ? null : cellFromText(type, value);
    },
  }));
}

/** What the last line of each key says; of a field that a line does not have, an earlier one. */
export async function readFolded(path: string, stream: TargetStream): Promise<Cell[][]> {
  const text = await textOf(path);
  const records = new Map<string, Cell[]>();
  for (const line of /\.csv/.test(path) ? csvLines(text) : jsonLines(text)) {
    const cells = stream.shape.fields.map(({ name, type }) => line.cell(name, type));
    const key = JSON.stringify(stream.shape.key.map((index) => cellToText(stream.shape.fields[index]?.type ?? 'text', cells[index])));
    const before = records.get(key);
    if (line.op === 'delete') records.delete(key);
    else
      records.set(
        key,
        cells.map((cell, index) => (cell === undefined ? (before?.[index] ?? null) : cell)),
      );
  }
  return [...records.values()];
}

export async function targetFixture(ends: string): Promise<TargetFixture> {
  const folder = await openFolder();
  const isCsv = ends.startsWith('.csv');
  return {
    open: () => openTarget(folder.path, { op: 'op' }),
    targetName: (stream) => `${stream}${ends}`,
    read: (stream) => readFolded(join(folder.path, stream.target), stream),
    exactTypes: JSON_CARRIERS,
    ...(isCsv ? { fixedFields: true } : { schemaless: true }),
    close: () => folder.remove(),
  };
}
