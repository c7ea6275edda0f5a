import { TrueupError, isForeign } from '../../../src/sdk.ts';
import { BSON } from '../bson/read.ts';
import { beginDocument, beginRoot, elementName, endDocument, putBool, putNull } from '../bson/sink.ts';
import type { Sink } from '../bson/sink.ts';
import { updateNodes, wholeTree } from './tree.ts';
import type { DocumentNode } from './tree.ts';
import { putRoot, putValue } from './field-write.ts';
import { ID } from './layout.ts';
import { carrierAt, keyCells, rawCell, undecoded } from './record-cells.ts';
import type { RecordCells } from './record-cells.ts';
import { isDotted } from './path.ts';
import { pipelineOf } from './pipeline.ts';
import { idOf, refuseLoss, valuesOf, wholeDocument } from './document.ts';
import type { DocumentPlan, TargetPlace } from './document.ts';

/** Writes records as BSON, each at the end of a sink. All throw TrueupErrors of a record fault; what was written until then is to be forgotten. */
export interface DocumentWriter {
  /** The whole document. */
  whole(sink: Sink, record: RecordCells): void;
  /** The operation of an `update` command that makes the document what the record says. What was marked as deleted is there again. */
  update(sink: Sink, record: RecordCells, how: UpdateHow): void;
}

export interface UpdateHow {
  readonly upsert: boolean;
  /** Only what the record holds, even where documents are replaced as a whole. */
  readonly partial?: boolean;
}

export type NoteField = (field: string, kind: string) => void;

const NAMES = {
  id: elementName(ID),
  query: elementName('q'),
  update: elementName('u'),
  upsert: elementName('upsert'),
  equal: elementName('$eq'),
  not: elementName('$not'),
  greater: elementName('$gt'),
  set: elementName('$set'),
  setOnInsert: elementName('$setOnInsert'),
} as const;

export function documentWriter(plan: DocumentPlan, note: NoteField): DocumentWriter {
  const cells = cellsWriter(plan, note);
  const tree = wholeTree(plan);
  const paths = updateNodes(plan);
  const guard = plan.places.findIndex(({ name }) => name === plan.stream.guard);
  const dotted = plan.places.flatMap(({ path }, place) => (isDotted(path) ? [place] : []));
  const values = (record: RecordCells) =>
    valuesOf(
      plan,
      plan.places.map((_place, index) => carrierAt(record, index)),
      note,
    );
  const open = (record: RecordCells) => wholeDocument(plan, idOf(plan, keyCells(plan, record)), values(record));
  const set = (sink: Sink, record: RecordCells): void => {
    const start = sink.at;
    const change = beginDocument(sink, NAMES.set);
    if (cells.putNodes(sink, paths, record)) return endDocument(sink, change);
    sink.at = start;
    const nothing = beginDocument(sink, NAMES.setOnInsert);
    cells.putId(sink, NAMES.id, record);
    endDocument(sink, nothing);
  };

  return {
    whole: (sink, record) => {
      if (plan.rest >= 0) return putRoot(sink, open(record));
      const from = beginRoot(sink);
      cells.putId(sink, NAMES.id, record);
      cells.putNodes(sink, tree, record);
      endDocument(sink, from);
    },
    update: (sink, record, { upsert, partial = false }) => {
      const from = beginRoot(sink);
      const query = beginDocument(sink, NAMES.query);
      putIdQuery(sink, (name) => cells.putId(sink, name, record));
      if (guard >= 0) putGuard(sink, plan.places[guard] as TargetPlace, (name) => cells.putUncounted(sink, name, guard, record));
      endDocument(sink, query);
      if (plan.rest >= 0 && !partial) putValue(sink, NAMES.update, open(record));
      else if (dotted.some((place) => rawCell(record, place) !== undefined))
        putValue(sink, NAMES.update, pipelineOf(values(record), plan.mark));
      else {
        const change = beginDocument(sink, NAMES.update);
        set(sink, record);
        endDocument(sink, change);
      }
      putBool(sink, NAMES.upsert, upsert);
      endDocument(sink, from);
    },
  };
}

interface CellsWriter {
  putId(sink: Sink, name: Uint8Array, record: RecordCells): void;
  /** A value that is written a second time: its conversion counts once. What is absent is null. */
  putUncounted(sink: Sink, name: Uint8Array, place: number, record: RecordCells): void;
  /** Whether anything was written. */
  putNodes(sink: Sink, nodes: readonly DocumentNode[], record: RecordCells): boolean;
}

function cellsWriter(plan: DocumentPlan, note: NoteField): CellsWriter {
  const { places, key } = plan;
  const notes = places.map(
    ({ name }) =>
      (kind: string) =>
        note(name, kind),
  );
  const keyNames = key.map((place) => elementName(places[place]?.name ?? ''));

  const put = (sink: Sink, name: Uint8Array, place: number, { record, noted }: { record: RecordCells; noted: (kind: string) => void }) => {
    const { fit } = places[place] as TargetPlace;
    const cell = rawCell(record, place);
    const decode = undecoded(record, place, cell);
    if (decode === null) return fit.write(sink, name, cell, noted);
    if (fit.writeText?.(sink, name, cell as string) !== true) fit.write(sink, name, decode(cell as string), noted);
  };
  /** `false`: the record does not hold it. */
  const putCell = (sink: Sink, name: Uint8Array, place: number, record: RecordCells): boolean => {
    const cell = rawCell(record, place);
    if (cell === undefined) return false;
    const { nullable, name: field } = places[place] as TargetPlace;
    if (cell === null && !nullable) throw new TrueupError('E_RECORD_VALUE', `field '${field}' is NULL, and must not be`);
    put(sink, name, place, { record, noted: notes[place] as (kind: string) => void });
    return true;
  };
  const putNodes: CellsWriter['putNodes'] = (sink, nodes, record) => {
    let some = false;
    for (const node of nodes) {
      if (node.kind === 'place') some = putCell(sink, node.name, node.place, record) || some;
      else if (node.kind === 'mark') {
        putNull(sink, node.name);
        some = true;
      } else some = putDocument(sink, node, record) || some;
    }
    return some;
  };
  const putDocument = (sink: Sink, { name, nodes }: Extract<DocumentNode, { kind: 'document' }>, record: RecordCells): boolean => {
    const start = sink.at;
    const from = beginDocument(sink, name);
    if (putNodes(sink, nodes, record)) return (endDocument(sink, from), true);
    sink.at = start;
    return false;
  };
  const putId: CellsWriter['putId'] = (sink, name, record) => {
    const [only] = key;
    if (key.length === 1) return put(sink, name, only as number, { record, noted: refuseLoss });
    // Of an `_id` that somebody else made every cell is the whole.
    if (key.some((place) => isForeign(places[place]?.type ?? 'variant', rawCell(record, place))))
      return putValue(sink, name, idOf(plan, keyCells(plan, record)));
    const from = beginDocument(sink, name);
    for (const [at, place] of key.entries()) put(sink, keyNames[at] as Uint8Array, place, { record, noted: refuseLoss });
    endDocument(sink, from);
  };
  const putUncounted: CellsWriter['putUncounted'] = (sink, name, place, record) =>
    put(sink, name, place, { record, noted: () => undefined });
  return { putId, putUncounted, putNodes };
}

/** Types that a query can name as they are. */
const LITERAL = new Set<number>([
  BSON.double,
  BSON.string,
  BSON.document,
  BSON.binary,
  BSON.objectId,
  BSON.bool,
  BSON.date,
  BSON.int32,
  BSON.int64,
  BSON.decimal,
]);

/** `_id` as a value where that can only mean the value, which the server looks up by itself without a plan; else with an operator. */
function putIdQuery(sink: Sink, putId: (name: Uint8Array) => void): void {
  const start = sink.at;
  putId(NAMES.id);
  const type = sink.bytes[start] as number;
  // The first name of a document: behind type, name and length, and its own type.
  const firstLetter = sink.bytes[start + 1 + NAMES.id.length + 5];
  if (LITERAL.has(type) && !(type === BSON.document && firstLetter === DOLLAR)) return;
  sink.at = start;
  const from = beginDocument(sink, NAMES.id);
  putId(NAMES.equal);
  endDocument(sink, from);
}

const DOLLAR = 36;

/** A document that is newer by the guard does not match; the insert that is then tried meets its `_id`. Without a value nothing is guarded. */
function putGuard(sink: Sink, { name }: TargetPlace, putCell: (name: Uint8Array) => void): void {
  const start = sink.at;
  const not = beginDocument(sink, elementName(name));
  const greater = beginDocument(sink, NAMES.not);
  const value = sink.at;
  putCell(NAMES.greater);
  if (sink.bytes[value] === BSON.null) {
    sink.at = start;
    return;
  }
  endDocument(sink, greater);
  endDocument(sink, not);
}
