import { setTimeout as sleep } from 'node:timers/promises';
import type { Batch } from '../../../src/sdk.ts';
import type { Open } from './batches.ts';
import { placeText, timeOf, writeCursor } from './cursor.ts';
import type { ChangesCursor } from './cursor.ts';
import { newest, readPass } from './pass.ts';
import { openPoint, progress } from '../stream-context.ts';
import type { StreamContext } from '../stream-context.ts';

/** follow: how long nothing is told of a place that does not move. */
const PROGRESS_MS = 10_000;
/** follow: documents without a place in the order are all read again, so not at every look. */
const LOOSE_MS = 60_000;
/** follow: of all time, reading takes at most one part in this many. */
const DUTY = 4;

/**
 * Everything that was committed before the call. A pass that an earlier call left unfinished is finished first; it says nothing of what was
 * committed since its own beginning, so another follows it.
 */
export async function* readDrain(context: StreamContext, field: string, from: ChangesCursor): AsyncGenerator<Batch> {
  const open: Open = { reading: await context.knowledge.reading(context.ref, context.signal) };
  let cursor = from;
  if (cursor.pass !== null) cursor = yield* readPass({ context, field, open }, cursor);
  cursor = yield* readPass({ context, field, open }, cursor);
  yield ended(open, cursor);
}

export async function* readFollow(
  context: StreamContext,
  field: string,
  { from, pollMs }: { readonly from: ChangesCursor; readonly pollMs: number },
): AsyncGenerator<Batch> {
  const { signal } = context;
  const open: Open = { reading: await context.knowledge.reading(context.ref, signal) };
  let cursor = from;
  let looseAt = Number.NEGATIVE_INFINITY;
  let toldAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const begunAt = performance.now();
    const skipLoose = begunAt - looseAt < LOOSE_MS;
    const before = cursor.head;
    cursor = yield* readPass({ context, field, open, skipLoose }, cursor);
    if (!skipLoose) looseAt = begunAt;
    if (cursor.head?.c !== before?.c || cursor.head?.id !== before?.id || begunAt - toldAt > PROGRESS_MS) {
      yield ended(open, cursor);
      toldAt = begunAt;
    }
    await pause(Math.max(pollMs, (performance.now() - begunAt) * (DUTY - 1)), signal);
  }
}

function ended(open: Open, cursor: ChangesCursor): Batch {
  const timeMs = cursor.head === null ? null : timeOf(cursor.head.c);
  const text = cursor.head === null ? 'the beginning' : placeText(cursor.head);
  return progress(open.reading, writeCursor(cursor), { text, ...(timeMs === null ? {} : { timeMs }) });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    throw signal.reason as Error;
  }
}

/** A cursor that everything committed from now on comes after. */
export async function startCursorOf(context: StreamContext, field: string): Promise<ChangesCursor> {
  const open: Open = { reading: await context.knowledge.reading(context.ref, context.signal) };
  const point = await openPoint(context);
  try {
    const head = await newest({ context, field, open }, point);
    return { kind: 'changes', head, since: String(point.clockMs), pass: null };
  } finally {
    await point.end();
  }
}
