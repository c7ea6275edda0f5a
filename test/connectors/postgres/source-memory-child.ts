import { drainAll } from './source-drain-all.ts';

/** A process of its own, so that its peak memory is that of reading alone: `URL STREAM`. Prints rows, rejects and peak RSS in MiB. */
const [url = '', stream = ''] = process.argv.slice(2);
const counts = await drainAll(url, stream);
process.stdout.write(JSON.stringify({ ...counts, peakMiB: process.resourceUsage().maxRSS / 1024 }));
