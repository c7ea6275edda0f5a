import { pageBatches } from '../../src/sdk.ts';
import type { Batch, ExactJson, FetchRequest, HttpAnswer, LogicalType, StreamRef } from '../../src/sdk.ts';
import { explainCursor, WALK_START, writeCursor } from './cursor.ts';
import type { Pass, RestCursor } from './cursor.ts';
import { valueAt } from './json-path.ts';
import type { Knowledge } from './knowledge.ts';
import { compareMarks, markBefore, markJson, markOf, markTime } from './order.ts';
import type { Mark } from './order.ts';
import type { Param } from './paging.ts';
import { pagedRow } from './record-row.ts';
import type { FieldPlace, RestRow } from './record-row.ts';
import type { StreamPlan } from './stream-plan.ts';
import { walk } from './walk.ts';
import type { WalkChunk } from './walk.ts';

/*
 * One read of everything from the head on: all pages of "records whose field is at or after the head", in whatever order they come. Only its end moves the head: to the
 * greatest value that was delivered, but never beyond the time at which the read began by the server's own clock, because what changes while pages are read may have
 * left a page before it was asked for. Cursors in between keep the old head and the place among the pages.
 */

export interface Reading {
  readonly knowledge: Knowledge;
  readonly plan: StreamPlan;
  readonly stream: StreamRef;
  readonly request: Pick<FetchRequest, 'batchRows' | 'batchBytes' | 'signal'>;
}

/** @returns the cursor after it */
export async function* readPass(reading: Reading, cursor: RestCursor): AsyncGenerator<Batch, RestCursor> {
  const { knowledge, plan, stream, request } = reading;
  const { batchRows, batchBytes, signal } = request;
  const field = await orderField(reading);
  let pass: Pass = cursor.pass ?? { max: null, began: null, walk: WALK_START };
  const onAnswer = (answer: HttpAnswer, tookMs: number): void => {
    if (pass.began === null) pass = { ...pass, began: beganAt(answer, tookMs) };
  };
  let view = await knowledge.view(plan, stream, signal);
  let last = cursor;
  const bounds = { rows: batchRows, bytes: batchBytes, recordBytes: stream.maxRecordBytes };
  for await (const chunk of walk(
    knowledge.walking(bounds, signal, { onAnswer }),
    plan,
    pass.walk,
    sinceParams(reading, cursor.head, field),
  )) {
    if (knowledge.grow(plan, chunk.rows)) view = await knowledge.view(plan, stream, signal);
    pass = { ...pass, max: field === null ? null : greatest(pass, chunk.rows, field) };
    const next = cursorAfter(cursor, pass, chunk, field);
    if (chunk.rows.length === 0 && (next === null || isSame(next, last))) continue;
    const page = {
      rows: chunk.rows.map(pagedRow),
      more: false,
      cursor: next === null ? null : writeCursor(next),
      position: positionOf(next ?? { head: cursor.head, pass: { ...pass, walk: chunk.from } }, pass.max, field),
    };
    for (const batch of pageBatches(page, view, request)) {
      yield batch;
      signal.throwIfAborted();
    }
    last = next ?? last;
  }
  return last;
}

/** The field that changes are found by; `null`: everything is read. */
async function orderField({ knowledge, plan, stream, request }: Reading): Promise<FieldPlace | null> {
  if (plan.declared.changes === undefined || stream.changes.by === 'snapshot') return null;
  const fields = await knowledge.fieldsOf(plan, request.signal);
  return fields.find(({ name }) => name === stream.changes.field) ?? null;
}

function sinceParams({ plan, stream }: Reading, head: Mark | null, field: FieldPlace | null): Param[] {
  const { changes } = plan.declared;
  if (changes === undefined || head === null || field === null) return [];
  const from = stream.lookbackMs === undefined ? head : markBefore(head, stream.lookbackMs, field.type);
  return [{ name: changes.param, in: changes.in, value: markJson(from) }];
}

/**
 * When a read began by the clock that dates the records: what the server stamps on its answer, less the time that the answer took, cut to the second by the header itself.
 */
function beganAt({ headers }: HttpAnswer, tookMs: number): string | null {
  const ms = Date.parse(headers['date'] ?? '');
  return Number.isNaN(ms) ? null : String(BigInt(Math.floor(ms - tookMs)) * 1000n);
}

function greatest({ max, began }: Pass, rows: readonly RestRow[], { path, type }: FieldPlace): Mark | null {
  let found = max;
  for (const { json } of rows) {
    const mark = markOf(valueIn(json, path));
    if (mark === null || isAfter(mark, began, type)) continue;
    const order = found === null ? compareMarks(mark, mark, type) : compareMarks(mark, found, type);
    if (order !== null && (found === null || order > 0)) found = mark;
  }
  return found;
}

function valueIn(json: ExactJson, path: readonly string[]): ExactJson | undefined {
  return valueAt(json, path);
}

function isAfter(mark: Mark, began: string | null, type: LogicalType): boolean {
  const time = began === null ? null : markTime(mark, type);
  return time !== null && time > BigInt(began as string);
}

function cursorAfter(cursor: RestCursor, pass: Pass, { next }: WalkChunk, field: FieldPlace | null): RestCursor | null {
  if (next === null) return null;
  if (next !== 'end') return { head: cursor.head, pass: { ...pass, walk: next } };
  const { head } = cursor;
  const isFurther = pass.max !== null && (head === null || field === null || (compareMarks(pass.max, head, field.type) ?? 1) > 0);
  return { head: isFurther ? pass.max : head, pass: null };
}

function isSame(a: RestCursor, b: RestCursor): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function positionOf(cursor: RestCursor, max: Mark | null, field: FieldPlace | null): { text: string; timeMs?: number } {
  const mark = max ?? cursor.head;
  const time = mark === null || field === null ? null : markTime(mark, field.type);
  return { text: explainCursor(writeCursor(cursor)), ...(time === null ? {} : { timeMs: Number(time / 1000n) }) };
}
