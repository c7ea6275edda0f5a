import { keyFromText } from '../../model/key-text.ts';
import { commitFeed } from '../write/commit.ts';
import type { FeedRun, StreamRun } from '../feed-run.ts';
import { hydrate } from '../write/write-batch.ts';

/** Keys that are read again and committed together. */
const KEYS_AT_ONCE = 1_000;

/** How often a feed that follows tries records again that wait for their parents (ms). */
const ORDER_RETRY_MS = 5_000;

/** Reads records by key again and writes them as they are now, the checkpoint unmoved. Keys as letters have them. */
export async function hydrateKeys(run: FeedRun, stream: StreamRun, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += KEYS_AT_ONCE) {
    const some = keys.slice(from, from + KEYS_AT_ONCE);
    stream.tally.pending.read += some.length;
    run.book.countRead(some.length);
    run.uncommitted = run.uncommitted?.length === 0 ? [] : null;
    await hydrate(
      run,
      stream,
      some.map((key) => keyFromText(stream.planned.sourcePlan.shape, key)),
    );
    await commitFeed(run, null, run.checkpoint.position);
  }
}

/** Tries records again that wait for their parents, now and then while a feed follows. */
export async function retryWaiting(run: FeedRun): Promise<void> {
  if (!run.following || run.uncommitted?.length !== 0) return;
  const now = run.context.now();
  if (now - run.lettersTriedAt < ORDER_RETRY_MS) return;
  run.lettersTriedAt = now;
  for (const [name, stream] of run.streams) {
    const keys = run.book.keys(name, 'order');
    if (keys.length > 0) await hydrateKeys(run, stream, keys);
  }
}
