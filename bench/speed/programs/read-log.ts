/**
 * `node read-log.ts URL STREAM text|binary|cells [begin|end]`: what the log of a stream holds, decoded into batches as a run gets them, which are thrown away; prints how long that
 * took. `begin` makes publication and slot, `end` drops them.
 */
import { options } from '../../../connectors/postgres/options.ts';
import { resolveServer } from '../../../connectors/postgres/session/session.ts';
import { postgresSource } from '../../../connectors/postgres/source.ts';
import type { Form, StreamRef } from '../../../src/sdk.ts';

const [url = '', name = '', as = 'binary', step = 'read'] = process.argv.slice(2);
const quiet = () => undefined;
const context = { connection: 'bench', baseDir: '/', log: { debug: quiet, info: quiet, warn: quiet, error: quiet } };
const source = postgresSource({ server: resolveServer(options.parse({ url }), context), pids: new Set() });
const stream: StreamRef = { name, changes: { by: 'log' }, key: ['id'], fields: null, except: [], maxRecordBytes: 2 ** 24, job: 'decode' };
const signal = new AbortController().signal;
const [feed] = source.feeds([stream]);
if (feed === undefined) throw new Error('a stream without a feed');

if (step === 'begin') {
  await source.apply?.(await source.plan([stream], signal), signal);
  await source.startCursor(feed, [stream], signal);
} else if (step === 'end') await source.release?.(feed, signal);
else {
  const forms = new Map<string, Form>(as === 'cells' ? [] : [[name, `pgcopy/${as}`]]);
  const startedAt = performance.now();
  let [changes, batches] = [0, 0];
  const limits = { batchRows: as === 'cells' ? 10_000 : 40_000, batchBytes: 8 * 1024 * 1024 };
  for await (const { records, coalesced = 0 } of source.fetchChanges({
    feed,
    streams: [stream],
    after: null,
    forms,
    ...limits,
    until: 'drain',
    signal,
  })) {
    changes += records.count + coalesced;
    batches += 1;
    records.release?.();
  }
  process.stdout.write(JSON.stringify({ wallMs: performance.now() - startedAt, changes, batches }));
}
await source.close();
