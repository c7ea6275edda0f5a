import { options } from '../../../connectors/postgres/options.ts';
import { openPostgresSource } from '../../../connectors/postgres/source.ts';

/** Reads everything of a stream by `updated_at` and forgets it. */
export async function drainAll(url: string, name: string): Promise<{ rows: number; rejected: number }> {
  const quiet = () => undefined;
  const source = openPostgresSource(options.parse({ url }), {
    connection: 'child',
    baseDir: '/',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  });
  const ref = {
    name,
    changes: { by: 'cursor', field: 'updated_at' },
    key: ['id'],
    fields: null,
    except: [],
    maxRecordBytes: 16 * 1024 * 1024,
  } as const;
  const counts = { rows: 0, rejected: 0 };
  const [feed] = source.feeds([ref]);
  if (feed === undefined) throw new Error('a stream without a feed');
  const request = {
    feed,
    streams: [ref],
    after: null,
    forms: new Map(),
    batchRows: 10_000,
    batchBytes: 8 * 1024 * 1024,
    until: 'drain',
    signal: new AbortController().signal,
  } as const;
  for await (const batch of source.fetchChanges(request)) {
    counts.rows += batch.records.count;
    counts.rejected += batch.rejected?.length ?? 0;
  }
  await source.close();
  return counts;
}
