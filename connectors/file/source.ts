import type { Batch, ConnectorContext, Feed, FetchRequest, Source, StreamRef } from '../../src/sdk.ts';
import { cellRecords } from '../../src/sdk.ts';
import { STDIN } from './catalog.ts';
import { explainCursor, readCursor, writeCursor } from './cursor.ts';
import { fileLookup } from './lookup.ts';
import type { FileOptions } from './options.ts';
import { readFiles } from './read-changes.ts';
import { openSourceContext } from './source-context.ts';
import type { SourceContext } from './source-context.ts';
import { discoverStreams, planStreams } from './source-plan.ts';
import { cursorAtEnd } from './start-cursor.ts';
import { pause } from './pause.ts';

export function openFileSource(options: FileOptions, { baseDir }: ConnectorContext): Source {
  const context = openSourceContext(options, baseDir);
  /** Since when a stream waits for the end of a line, and of which file. */
  const waiting = new Map<string, { readonly since: string; readonly by: string }>();

  return {
    identity: async () => `file:${options.identity ?? context.catalog.path}`,
    discover: (signal, queries = []) => discoverStreams(context, queries, signal),
    plan: async (streams, signal) => ({ streams: await planStreams(context, streams, signal) }),
    feeds: (streams) => streams.map(({ name }): Feed => ({ id: `changes:${name}`, kind: 'changes', streams: [name] })),
    startCursor: (_feed, streams, signal) => cursorAtEnd(context, streams[0] as StreamRef, signal),
    fetchChanges: (request) => fetchChanges(context, request, waiting),
    ...(context.catalog.path === STDIN ? {} : fileLookup(context)),
    heldBack: async (feed) => waiting.get(feed.streams[0] ?? '') ?? null,
    explainCursor,
    close: () => context.close(),
  };
}

async function* fetchChanges(
  context: SourceContext,
  request: FetchRequest,
  waiting: Map<string, { readonly since: string; readonly by: string }>,
): AsyncGenerator<Batch> {
  const ref = request.streams[0] as StreamRef;
  const { signal, until } = request;
  // What is piped in now is not what was piped in before: nothing of it was read yet.
  let after = context.catalog.path === STDIN ? null : request.after;
  for (;;) {
    signal.throwIfAborted();
    const before = waiting.get(ref.name);
    waiting.delete(ref.name);
    const view = await context.view(ref, signal);
    const onUnended = (file: string): void => {
      const by = `the last line of ${file}, which has no line end yet`;
      waiting.set(ref.name, { since: before?.by === by ? before.since : new Date().toISOString(), by });
    };
    const reading = readFiles({ context, view, limits: request, signal, onUnended }, readCursor(after));
    try {
      for (;;) {
        const { done, value } = await reading.next();
        if (done === true) {
          const cursor = writeCursor(value);
          if (JSON.stringify(cursor) !== JSON.stringify(after)) yield progress(view.shape, cursor);
          after = cursor;
          break;
        }
        yield value;
        signal.throwIfAborted();
        after = value.cursor;
        if (until === 'chunk') return;
      }
    } finally {
      // Whoever leaves early leaves no file open.
      await reading.return(readCursor(after));
    }
    if (until !== 'follow' || context.catalog.path === STDIN) return;
    await pause(context.options.poll, signal);
  }
}

function progress(shape: Batch['shape'], cursor: Batch['cursor']): Batch {
  const position = { text: cursor === null ? '' : explainCursor(cursor) };
  return { stream: null, shape, records: cellRecords({ rows: [], bytes: 0 }), ops: null, distinctKeys: true, cursor, position };
}
