import { options } from '../../../connectors/rest/options.ts';
import { openRestSource } from '../../../connectors/rest/source.ts';
import type { Batch, Cell, ConnectorContext, Cursor, FetchRequest, Source, StreamRef } from '../../../src/sdk.ts';
import { fetchRequest, rowsOf } from '../source-reads.ts';

export { NEVER, fetchRequest, rowsOf } from '../source-reads.ts';

export interface Logged {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function testContext(logged: Logged[] = [], more: Partial<ConnectorContext> = {}): ConnectorContext {
  const write = (level: string) => (fields: Readonly<Record<string, unknown>>, message: string) =>
    void logged.push({ level, fields, message });
  return {
    connection: 'api',
    baseDir: '/',
    log: { debug: write('debug'), info: write('info'), error: write('error'), warn: write('warn') },
    ...more,
  };
}

export function openSource(
  url: string,
  more: Readonly<Record<string, unknown>>,
  logged: Logged[] = [],
  context: Partial<ConnectorContext> = {},
): Source {
  return openRestSource(options.parse({ url, poll: '50ms', ...more }), testContext(logged, context));
}

export function streamRef(name: string, more: Partial<StreamRef> = {}): StreamRef {
  return {
    name,
    changes: { by: 'cursor', field: 'updated_at' },
    key: ['id'],
    fields: null,
    except: [],
    maxRecordBytes: 16 * 1024 * 1024,
    ...more,
  };
}

export async function drain(
  source: Source,
  ref: StreamRef,
  after: Cursor | null = null,
  more: Partial<FetchRequest> = {},
): Promise<{ rows: Record<string, Cell>[]; cursor: Cursor | null; batches: Batch[] }> {
  const batches = await Array.fromAsync(source.fetchChanges(fetchRequest(source, ref, { after, ...more })));
  return { rows: rowsOf(batches), cursor: batches.findLast((batch) => batch.cursor !== null)?.cursor ?? after, batches };
}
