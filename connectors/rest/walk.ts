import { TrueupError, cellToText, isTrueupError } from '../../src/sdk.ts';
import type { Cell } from '../../src/sdk.ts';
import { WALK_START } from './cursor.ts';
import type { WalkState } from './cursor.ts';
import { FIRST } from './paging.ts';
import type { Param } from './paging.ts';
import { cellReader, pagedRow } from './record-row.ts';
import type { FieldPlace, RestRow } from './record-row.ts';
import type { StreamPlan } from './stream-plan.ts';
import { ParentGone, walkPages } from './walk-pages.ts';
import type { WalkContext } from './walk-pages.ts';

/** Records on the way, and where a walk can begin. */
export interface WalkChunk {
  readonly rows: readonly RestRow[];
  /** A walk from here hands these records over again. */
  readonly from: WalkState;
  /** A walk from here goes on after them; `null`: there is no such place. */
  readonly next: WalkState | 'end' | null;
}

/** Fields of a stream, for its children. */
export type FieldsOf = (plan: StreamPlan) => Promise<readonly FieldPlace[]>;

export interface Walking extends WalkContext {
  readonly fieldsOf: FieldsOf;
}

/**
 * Every record of a stream, from a place on. Of a stream with a parent: the records of one parent after another, the parents as they are listed now.
 */
export async function* walk(context: Walking, plan: StreamPlan, from: WalkState, params: readonly Param[]): AsyncGenerator<WalkChunk> {
  if (plan.parent !== null) {
    yield* walkChildren(context, { ...plan, parent: plan.parent }, from, params);
    return;
  }
  for await (const { rows, from: page, next } of walkPages(context, { plan, fill: () => null, parent: null, params }, from.page))
    yield { rows, from: { page }, next: next === null || next === 'end' ? next : { page: next } };
}

type ChildPlan = StreamPlan & { readonly parent: StreamPlan };

/** A parent whose records are to be read. */
interface Parent {
  readonly fields: ReadonlyMap<string, Cell>;
  readonly key: string;
}

/** A page of parents is read to its end before their records are asked for: two answers at a time would need two turns of the connection. */
async function* walkChildren(context: Walking, plan: ChildPlan, from: WalkState, params: readonly Param[]): AsyncGenerator<WalkChunk> {
  const readParent = await parentReader(context, plan);
  const found = { parents: 0, answered: 0 };
  let place: Place = { key: from.parent?.key ?? '', done: from.parent?.done ?? false, page: from.page };
  let parents: Parent[] = [];
  for await (const chunk of walk(context, plan.parent, from.parent?.walk ?? WALK_START, [])) {
    parents.push(...chunk.rows.map(readParent).filter((parent) => parent !== null));
    if (chunk.next === null) continue;
    const rest = afterPlace(parents, place);
    let { page } = rest === null || place.done ? { page: FIRST } : place;
    for (const parent of rest ?? parents) {
      found.parents += 1;
      yield* walkOne(context, { plan, params, parent, walk: chunk.from, found }, page);
      page = FIRST;
    }
    parents = [];
    place = { key: '', done: false, page: FIRST };
    if (chunk.next !== 'end') yield progress({ page: FIRST, parent: { walk: chunk.next, key: '', done: false } });
  }
  if (found.parents > 0 && found.answered === 0)
    throw new TrueupError(
      'E_STREAM_UNKNOWN',
      `stream '${plan.name}': the server answers 404 for every one of ${found.parents} records of '${plan.parent.name}'; check its \`path\``,
    );
  yield { ...progress(WALK_START), next: 'end' };
}

interface Place {
  /** Empty: the beginning of the page of parents. */
  readonly key: string;
  readonly done: boolean;
  readonly page: WalkState['page'];
}

/** The parents that are still to be read; `null`: the one to go on from is not among them any more. */
function afterPlace(parents: readonly Parent[], { key, done }: Place): readonly Parent[] | null {
  if (key === '') return parents;
  const index = parents.findIndex((parent) => parent.key === key);
  return index < 0 ? null : parents.slice(done ? index + 1 : index);
}

function progress(place: WalkState): WalkChunk {
  return { rows: [], from: place, next: place };
}

interface OneParent {
  readonly plan: ChildPlan;
  readonly params: readonly Param[];
  readonly parent: Parent;
  /** Of the page that the parent is from. */
  readonly walk: WalkState;
  readonly found: { answered: number };
}

async function* walkOne(
  context: Walking,
  { plan, params, parent, walk: at, found }: OneParent,
  page: WalkState['page'],
): AsyncGenerator<WalkChunk> {
  const place = (to: WalkState['page'], done: boolean): WalkState => ({ page: to, parent: { walk: at, key: parent.key, done } });
  const fields = await context.fieldsOf(plan.parent);
  const fill = (name: string): string | null =>
    cellToText(fields.find((field) => field.name === name)?.type ?? 'text', parent.fields.get(name) ?? null);
  try {
    for await (const chunk of walkPages(context, { plan, fill, parent: parent.fields, params }, page)) {
      found.answered += 1;
      const next = chunk.next === null ? null : chunk.next === 'end' ? place(FIRST, true) : place(chunk.next, false);
      yield { rows: chunk.rows, from: place(chunk.from, false), next };
    }
  } catch (error) {
    if (!(error instanceof ParentGone)) throw error;
    yield progress(place(FIRST, true));
  }
}

/** The fields of a parent record that its children need; `null`: one of them has no value, so that there is no address to ask. */
async function parentReader(context: Walking, plan: ChildPlan): Promise<(row: RestRow) => Parent | null> {
  const places = await context.fieldsOf(plan.parent);
  const needed = plan.parentFields.map((name) => {
    const field = places.find((one) => one.name === name);
    if (field === undefined)
      throw new TrueupError(
        'E_STREAM_UNKNOWN',
        `stream '${plan.name}' needs field '${name}' of its parent '${plan.parent.name}'. Fields: ${places.map((one) => one.name).join(', ')}.`,
      );
    return { name, type: field.type, nullable: true };
  });
  const read = cellReader(new Map(places.map((one) => [one.name, one])));
  return (row) => {
    try {
      const cells = needed.map((field): [string, Cell] => [
        field.name,
        read(pagedRow(row), field, `field '${field.name}' of '${plan.parent.name}'`),
      ]);
      const missing = cells.find(([, cell]) => cell === null || cell === undefined);
      const key = context.keyOf(plan.parent, row);
      if (missing === undefined && key !== null) return { fields: new Map(cells), key };
      context.log.warn(
        { stream: plan.name, field: missing?.[0] ?? 'key' },
        'a parent record has no value in a field that the path of its children needs; they are not read',
      );
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      context.log.warn({ stream: plan.name, err: error.message }, 'a parent record cannot be read; its children are not read');
    }
    return null;
  };
}
