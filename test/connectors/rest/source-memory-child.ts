import { options } from '../../../connectors/rest/options.ts';
import { openRestSource } from '../../../connectors/rest/source.ts';
import { boundHeapGrowth } from '../../../src/cli/heap-growth.ts';
import { fetchRequest, streamRef, testContext } from './rest-kit.ts';

/* Reads one large answer and prints how many records it held and how much memory that took, or the code of the fault. Arguments: address, maxBodyBytes, format. */

boundHeapGrowth(); // as the program does
const [url = '', maxBodyBytes = '', format = 'json'] = process.argv.slice(2);
const items = { path: '/large', records: format === 'json' ? 'data' : '', format, key: ['id'], fields: { id: 'int64', text: 'text' } };
const source = openRestSource(options.parse({ url, maxBodyBytes, streams: { items } }), testContext());
let records = 0;
let code: unknown = null;
try {
  for await (const batch of source.fetchChanges(fetchRequest(source, streamRef('items', { changes: { by: 'snapshot' } }))))
    records += batch.records.count;
} catch (error) {
  ({ code } = error as { code: unknown });
}
await source.close();
process.stdout.write(JSON.stringify({ records, code, rssMb: Math.round(process.resourceUsage().maxRSS / 1024) }));
