import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch, ConnectorContext, FetchRequest, Feed, Source, StreamRef } from '../../src/sdk.ts';
import { openApi } from './api.ts';
import { explainCursor, readCursor, writeCursor } from './cursor.ts';
import { fetchRows, scanStream } from './fetch-by.ts';
import { identityOf } from './identity.ts';
import { Knowledge } from './knowledge.ts';
import type { RestOptions } from './options.ts';
import { readPass } from './pass.ts';
import type { Reading } from './pass.ts';
import { describe, onlyStream, planStream } from './source-plan.ts';
import { planOf, planStreams } from './stream-plan.ts';

/** Bounds of look-ups and scans, which name none. */
const LOOKUP = { batchRows: 1000, batchBytes: 4 * 2 ** 20 };

export function openRestSource(options: RestOptions, context: ConnectorContext): Source {
  const plans = planStreams(options);
  const api = openApi(options, context);
  const knowledge = new Knowledge(options, api, context);

  const reading = (stream: StreamRef, request: Reading['request']): Reading => ({
    knowledge,
    plan: planOf(plans, stream.name),
    stream,
    request,
  });

  async function* fetchChanges(request: FetchRequest): AsyncGenerator<Batch> {
    const of = reading(onlyStream(request.streams), request);
    let cursor = readCursor(request.after);
    for (;;) {
      request.signal.throwIfAborted();
      const began = cursor;
      cursor = yield* readPass(of, cursor);
      // What changed on the pages before the place where an interrupted read went on is found by a whole one.
      if (began.pass !== null && request.until !== 'chunk') cursor = yield* readPass(of, cursor);
      if (request.until !== 'follow') return;
      await pause(options.poll, request.signal);
    }
  }

  return {
    identity: async () => identityOf(options),
    discover: async (signal) => {
      const found = [];
      for (const plan of plans.values()) found.push(await describe(plan, knowledge, context, signal));
      return found;
    },
    plan: async (streams, signal) => {
      const planned = [];
      for (const stream of streams) planned.push(await planStream(plans, stream, knowledge, signal));
      return { streams: planned };
    },
    feeds: (streams) => streams.map(({ name }): Feed => ({ id: `changes:${name}`, kind: 'changes', streams: [name] })),
    // The first pages are the first load: there is no other way to read what is there already.
    startCursor: async () => writeCursor(readCursor(null)),
    fetchChanges,
    scan: (stream, signal) => scanStream(reading(stream, { ...LOOKUP, signal })),
    fetchBy: (stream, fields, values, signal) =>
      fetchRows({ ...reading(stream, { ...LOOKUP, signal }), api, lookups: options.lookups }, fields, values),
    explainCursor,
    close: () => api.close(),
  };
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
