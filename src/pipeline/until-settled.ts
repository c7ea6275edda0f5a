import type { Source } from '../model/contracts.ts';
import type { Cursor, Feed } from '../model/feed.ts';
import { delay } from '../resilience/retry.ts';
import type { RunSignals } from './job-context.ts';

/** How often it is asked whether what was delivered can be seen (ms). */
const SETTLED_MS = 50;

/**
 * Waits until a read sees everything that a feed has delivered. A log may tell of a commit before others can see it; whoever looks a record up because of that
 * would write it as it was before. Returns as well once the reading is to stop.
 */
export async function untilSettled(
  source: Pick<Source, 'settled'>,
  { feed, cursor }: { readonly feed: Feed; readonly cursor: Cursor | null },
  { stop, abort }: RunSignals,
): Promise<void> {
  if (source.settled === undefined || cursor === null) return;
  while (!stop.aborted && !(await source.settled(feed, cursor, abort))) await delay(SETTLED_MS, stop);
}
