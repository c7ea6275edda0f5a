import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { options } from '../../connectors/file/options.ts';
import { openFileSource } from '../../connectors/file/source.ts';
import { scanRows } from '../../src/sdk.ts';
import type { StreamRef } from '../../src/sdk.ts';
import { boundHeapGrowth } from '../../src/cli/heap-growth.ts';

/*
 * How much memory a large CSV file takes on its way through the source, each cell made once: `node bench/file/memory.ts [megabytes]`. The file is made first, and gone at the end.
 */

boundHeapGrowth();
const megabytes = Number(process.argv[2] ?? 1000);
const folder = await mkdtemp(join(tmpdir(), 'trueup-bench-'));
try {
  const rows = await makeFile(join(folder, 'large.csv'), megabytes * 1_000_000);
  const ref: StreamRef = {
    name: 'large.csv',
    changes: { by: 'log' },
    key: ['id'],
    fields: null,
    except: [],
    maxRecordBytes: 16 * 1024 * 1024,
  };
  const quiet = () => undefined;
  const context = { connection: 'bench', baseDir: '/', log: { debug: quiet, info: quiet, warn: quiet, error: quiet } };
  const source = openFileSource(options.parse({ path: folder }), context);
  const feed = source.feeds([ref])[0] as ReturnType<typeof source.feeds>[number];
  const startMs = performance.now();
  const startCpu = process.cpuUsage();
  const idleMb = Math.round(process.memoryUsage().rss / 1_048_576);
  let read = 0;
  const request = {
    feed,
    streams: [ref],
    after: null,
    forms: new Map(),
    batchRows: 10_000,
    batchBytes: 8 * 1024 * 1024,
    until: 'drain',
  } as const;
  for await (const { records } of source.fetchChanges({ ...request, signal: new AbortController().signal }))
    for (const row of scanRows(records)) read += row.length > 0 ? 1 : 0;
  await source.close();
  const cpu = process.cpuUsage(startCpu);
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  const seconds = (performance.now() - startMs) / 1000;
  if (read !== rows) throw new Error(`${read} of ${rows} records were read`);
  const peakMb = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(
    `${megabytes} MB, ${rows} records, ${Math.round(seconds)} s (${(megabytes / seconds).toFixed(1)} MB/s, ${(megabytes / cpuSeconds).toFixed(1)} MB per CPU second), peak RSS ${peakMb} MB, ${idleMb} MB of them before the first record\n`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function makeFile(path: string, bytes: number): Promise<number> {
  const file = createWriteStream(path);
  file.write('id,customer,total,note,placed\n');
  let rows = 0;
  for (let written = 0; written < bytes;) {
    let text = '';
    for (let index = 0; index < 1000; index++)
      text += `${(rows += 1)},"customer ""${rows % 997}""",${rows}.25,,2026-01-01T00:00:00.${rows % 1000}Z some more text to make it a line\n`;
    written += text.length;
    if (!file.write(text)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'finish');
  return rows;
}
