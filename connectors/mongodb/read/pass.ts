import type { Document } from 'mongodb';
import type { Batch } from '../../../src/sdk.ts';
import { batches } from './batches.ts';
import type { Open } from './batches.ts';
import { plainText, placeText, timeOf, valueAt, writeCursor } from './cursor.ts';
import type { ChangesCursor, PassCursor, Phase, Place } from './cursor.ts';
import { documentAt } from './documents.ts';
import { after, all, from, idRange, loose, ordered, upTo } from './order.ts';
import type { Snapshot } from './snapshot.ts';
import { fieldText, filterOf, idText, openPoint, weightOf } from '../stream-context.ts';
import type { StreamContext } from '../stream-context.ts';
import { mayHoldArrays } from '../index-facts.ts';

/** One pass over the changes of a stream, from a cursor that stands between two passes or inside of one. */
export interface PassSetup {
  readonly context: StreamContext;
  readonly field: string;
  readonly open: Open;
  /** follow: the documents without a place were read a moment ago. */
  readonly skipLoose?: boolean;
}

export const PHASES = ['loose', 'window', 'rest'] as const satisfies readonly Phase[];

/** Where a window begins: Extended JSON. `null`: there is none. */
export function floorOf({ head, since }: ChangesCursor, lookbackMs: number | undefined): string | null {
  if (lookbackMs === undefined || head === null) return null;
  const headMs = timeOf(head.c);
  if (headMs === null) return null;
  return valueAt(head.c, Math.min(headMs, since === null ? headMs : Number(since)) - lookbackMs);
}

/** The documents of one phase, wherever the pass stands in it. `null`: none. */
export function phaseFilter(
  phase: Phase,
  cursor: ChangesCursor,
  { field, lookbackMs, arrays }: { readonly field: string; readonly lookbackMs: number | undefined; readonly arrays: boolean },
): Document | null {
  const { head, pass } = cursor;
  if (phase === 'loose')
    return all([loose(field, arrays), ...idRange(pass?.phase === 'loose' && pass.id !== null ? { after: pass.id } : {})]);
  if (phase === 'rest') return all([ordered(field), ...(head === null ? [] : [after(field, head)])]);
  const floor = floorOf(cursor, lookbackMs);
  if (floor === null || head === null) return null;
  const at = pass?.phase === 'window' ? pass.at : null;
  return all([ordered(field), at === null ? from(field, floor) : after(field, at), upTo(field, head)]);
}

/** Delivers one pass. Returns the cursor at its end. */
export async function* readPass(setup: PassSetup, start: ChangesCursor): AsyncGenerator<Batch, ChangesCursor> {
  const { context } = setup;
  let point = await openPoint(context);
  const arrays = await mayHoldArrays(context, setup.field);
  const pass: PassCursor = start.pass ?? {
    phase: setup.skipLoose === true ? 'window' : 'loose',
    at: null,
    id: null,
    since: String(point.clockMs),
  };
  let cursor: ChangesCursor = { ...start, pass };
  const upper = point.isPoint ? null : await newest(setup, point);
  try {
    for (const phase of PHASES.slice(PHASES.indexOf(pass.phase))) {
      if (cursor.pass?.phase !== phase) cursor = { ...cursor, pass: { ...pass, phase, at: null, id: null } };
      for (let done = false; !done;) {
        done = true;
        for await (const { batch, next } of readPhase(setup, point, { phase, cursor, arrays, upper })) {
          cursor = next;
          yield batch;
          if (point.isOld()) {
            done = false;
            break;
          }
        }
        if (done) continue;
        await point.end();
        point = await openPoint(context);
      }
    }
  } finally {
    await point.end();
  }
  return { kind: 'changes', head: cursor.head, since: pass.since, pass: null };
}

interface PhaseRead {
  readonly phase: Phase;
  readonly cursor: ChangesCursor;
  readonly arrays: boolean;
  /** Where the order ended when the pass began, for servers without points in time; else somebody who goes on writing would keep it going. */
  readonly upper: Place | null;
}

async function* readPhase({ context, field, open }: PassSetup, point: Snapshot, { phase, cursor, arrays, upper }: PhaseRead) {
  const { ref, knowledge, limits } = context;
  const filter = phaseFilter(phase, cursor, { field, lookbackMs: ref.lookbackMs, arrays });
  if (filter === null) return;
  const conditions = [filter, ...(upper === null || phase === 'loose' ? [] : [upTo(field, upper)]), ...filterOf(ref.where)];
  const sort: Document = phase === 'loose' ? { _id: 1 } : field === '_id' ? { _id: 1 } : { [field]: 1, _id: 1 };
  let next = cursor;
  const placeAfter = (document: Uint8Array) => {
    next = moved(cursor, phase, document, field);
    const text =
      phase === 'loose'
        ? `_id ${plainText(idText(document) ?? '')}`
        : placeText({ c: fieldText(document, field) ?? '', id: idText(document) ?? '' });
    const timeMs = phase === 'loose' ? null : timeOf(fieldText(document, field) ?? '');
    return { cursor: writeCursor(next), position: { text, ...(timeMs === null ? {} : { timeMs }) } };
  };
  const found = point.find({ collection: ref.name, filter: all(conditions), sort, weight: weightOf(context) });
  for await (const batch of batches(open, found, { knowledge, limits, placeAfter })) yield { batch, next };
}

/** The cursor after a document of this phase. */
function moved(cursor: ChangesCursor, phase: Phase, document: Uint8Array, field: string): ChangesCursor {
  const pass = cursor.pass as PassCursor;
  const id = idText(document) ?? 'null';
  if (phase === 'loose') return { ...cursor, pass: { ...pass, id } };
  const place: Place = { c: fieldText(document, field) ?? 'null', id };
  return phase === 'window' ? { ...cursor, pass: { ...pass, at: place } } : { ...cursor, head: place };
}

/** The last place in the order. */
export async function newest({ context, field }: PassSetup, point: Snapshot): Promise<Place | null> {
  const sort: Document = field === '_id' ? { _id: -1 } : { [field]: -1, _id: -1 };
  const asked = { collection: context.ref.name, filter: ordered(field), sort, limit: 1 };
  for await (const group of point.find(asked)) {
    const document = documentAt(group, 0);
    const [c, id] = [fieldText(document, field), idText(document)];
    if (c !== null && id !== null) return { c, id };
  }
  return null;
}
