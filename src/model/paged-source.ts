import { TrueupError, isTrueupError } from '../errors.ts';
import type { Batch, FetchRequest, Source, StreamInfo, StreamRef } from './contracts.ts';
import type { Cursor, Feed } from './feed.ts';
import { pageBatches } from './paged-batch.ts';
import type { Page, PagedStream } from './paged-stream.ts';
import { planPagedStream, viewOf } from './paged-view.ts';
import type { PagedView } from './paged-view.ts';

export interface PagedSourceOptions {
  /** Names the data, not the address: an account or workspace id. */
  readonly identity: string | ((signal: AbortSignal) => Promise<string>);
  readonly streams: Readonly<Record<string, PagedStream>>;
  /** The page after a cursor that it returned before; `null`: the first. Not called again before its page was taken. */
  page(stream: string, after: Cursor | null, signal: AbortSignal): Promise<Page>;
  /** How long `follow` waits after a page without `more` (ms). Default 10,000. */
  readonly pollMs?: number;
  close?(): Promise<void>;
}

/**
 * A whole source from one function, for APIs that deliver pages. Every stream is a feed of its own with change method `cursor`. Nothing is retried here:
 * what `page` throws ends the read, and the pipeline reopens the feed after its last checkpoint.
 */
export function pagedSource(options: PagedSourceOptions): Source {
  const views = new Map<string, PagedView>();
  const view = (stream: StreamRef): PagedView => {
    const id = JSON.stringify(stream);
    const made = views.get(id) ?? viewOf(options.streams, stream);
    views.set(id, made);
    return made;
  };
  return {
    identity: async (signal) => (typeof options.identity === 'string' ? options.identity : options.identity(signal)),
    discover: async () => Object.keys(options.streams).map((name) => describe(name, options.streams)),
    plan: async (streams) => ({ streams: streams.map((stream) => planPagedStream(options.streams, stream)) }),
    feeds: (streams) => streams.map(({ name }): Feed => ({ id: `changes:${name}`, kind: 'changes', streams: [name] })),
    // The first pages are the first load: there is no other way to read what is there already.
    startCursor: async () => null,
    fetchChanges: (request) => fetchPages(options, request, view(request.streams[0] as StreamRef)),
    close: async () => options.close?.(),
  };
}

function describe(name: string, streams: PagedSourceOptions['streams']): StreamInfo {
  const { shape } = viewOf(streams, {
    name,
    changes: { by: 'cursor' },
    key: streams[name]?.key ?? [],
    fields: null,
    except: [],
    maxRecordBytes: Infinity,
  });
  return { name, kind: 'endpoint', shape, changes: [{ by: 'cursor' }] };
}

async function* fetchPages(options: PagedSourceOptions, request: FetchRequest, view: PagedView): AsyncGenerator<Batch> {
  let { after } = request;
  while (true) {
    const page = await askPage(options, view, after, request.signal);
    const isSame = JSON.stringify(page.cursor) === JSON.stringify(after);
    if (page.more && isSame)
      throw new TrueupError(
        'E_BUG',
        `The connector's page of '${view.stream.name}' says that there is more, but its cursor is the one it was called with: it would be read for ever.`,
      );
    for (const batch of pageBatches(page, view, request)) {
      if (batch.stream === null && isSame) continue;
      yield batch;
      request.signal.throwIfAborted();
    }
    after = page.cursor;
    if (page.more && request.until !== 'chunk') continue;
    if (request.until !== 'follow') return;
    await delay(options.pollMs ?? 10_000, request.signal);
  }
}

async function askPage(options: PagedSourceOptions, view: PagedView, after: Cursor | null, signal: AbortSignal): Promise<Page> {
  signal.throwIfAborted();
  try {
    const page = await options.page(view.stream.name, after, signal);
    signal.throwIfAborted();
    return page;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw faultOfPage(view.stream.name, error);
  }
}

const NOBODY_ANSWERS = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];

/** What `fetch` throws, as a fault that is retried. Anything else that is no TrueupError is a mistake in the connector and stays as it is. */
function faultOfPage(stream: string, error: unknown): unknown {
  if (isTrueupError(error) || !(error instanceof Error)) return error;
  const { cause } = error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (error.name === 'TimeoutError')
    return new TrueupError('E_TIMEOUT', `Reading '${stream}' took longer than its limit.`, { cause: error });
  if (NOBODY_ANSWERS.includes(code))
    return new TrueupError('E_UNREACHABLE', `Reading '${stream}': nobody answers (${code}).`, { cause: error });
  const isFetch =
    error instanceof TypeError && cause instanceof Error && (error.message === 'fetch failed' || error.message === 'terminated');
  return isFetch
    ? new TrueupError('E_CONNECTION_LOST', `Reading '${stream}': the connection broke (${code || cause.name}).`, { cause: error })
    : error;
}

/** Rejects with the signal's reason. */
function delay(ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = (): void => reject(signal.reason as Error);
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', abort, { once: true });
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  });
}
