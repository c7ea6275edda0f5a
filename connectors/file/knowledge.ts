import { TrueupError } from '../../src/sdk.ts';
import type { Field, LogicalType, Shape, StreamRef } from '../../src/sdk.ts';
import type { FileStream } from './catalog.ts';
import { typeOfKinds } from './infer.ts';
import type { Kind } from './infer.ts';

/** More are data that stands where names should. */
const MAX_FIELDS = 1600;

/** What is known of the fields of a stream. It only grows while a source is open: what was seen once stays known. */
export interface Knowledge {
  readonly stream: FileStream;
  /** By name, in the order in which they came. `null`: the type was declared. */
  readonly fields: Map<string, Set<Kind> | null>;
  /** Of the files; decides what a mix of types becomes. */
  text: 'csv' | 'jsonl';
  /** Another for every change of the fields. */
  version: number;
  /** Whether the samples were read. */
  sampled: boolean;
}

export function newKnowledge(stream: FileStream): Knowledge {
  return { stream, fields: new Map(), text: 'csv', version: 0, sampled: false };
}

/** Fields that are declared and stand in no record yet come last: columns keep the order of the files. */
export function addDeclared(knowledge: Knowledge): void {
  for (const name of knowledge.stream.declared.keys()) learn(knowledge, name, null);
}

/** Whether the field, or its type, is news. */
export function learn(knowledge: Knowledge, name: string, kind: Kind | null): boolean {
  const known = knowledge.fields.get(name);
  if (known === null || (known !== undefined && (kind === null || known.has(kind)))) return false;
  if (known === undefined) {
    if (knowledge.fields.size >= MAX_FIELDS)
      throw new TrueupError(
        'E_DRIFT',
        `Stream '${knowledge.stream.name}' has more than ${MAX_FIELDS} fields: data seems to stand where names should.`,
      );
    knowledge.fields.set(name, knowledge.stream.declared.has(name) ? null : new Set(kind === null ? [] : [kind]));
    knowledge.version++;
    return true;
  }
  const before = typeOfKinds(known, knowledge.text);
  known.add(kind as Kind);
  if (before === typeOfKinds(known, knowledge.text)) return false;
  knowledge.version++;
  return true;
}

export function typeOf(knowledge: Knowledge, name: string): LogicalType {
  const kinds = knowledge.fields.get(name);
  if (kinds === null) return knowledge.stream.declared.get(name) ?? 'text';
  return typeOfKinds(kinds ?? new Set(), knowledge.text);
}

/** A stream as a job reads it. */
export interface View {
  readonly knowledge: Knowledge;
  readonly ref: StreamRef;
  readonly shape: Shape;
  /** Whether fields that nobody knows yet belong to it. */
  readonly open: boolean;
}

/** The fields of the stream, but for the one that says what happened. */
export function wholeShape(knowledge: Knowledge, key: readonly string[] = knowledge.stream.key): Shape {
  const names = [...knowledge.fields.keys()].filter((name) => name !== knowledge.stream.op);
  const fields = names.map((name): Field => ({ name, type: typeOf(knowledge, name), nullable: !key.includes(name) }));
  return { fields, key: key.map((name) => names.indexOf(name)).filter((index) => index >= 0), open: false };
}

export function viewOf(knowledge: Knowledge, ref: StreamRef): View {
  const whole = wholeShape(knowledge, ref.key);
  const missing = [...ref.key, ...(ref.fields ?? [])].find((name) => !whole.fields.some((field) => field.name === name));
  if (missing !== undefined)
    throw new TrueupError(
      'E_STREAM_UNKNOWN',
      `Stream '${ref.name}' has no field '${missing}'. Fields: ${whole.fields.map((field) => field.name).join(', ') || 'none, as there is no record'}.`,
    );
  const fields = whole.fields.filter(
    ({ name }) => ref.key.includes(name) || (!ref.except.includes(name) && (ref.fields?.includes(name) ?? true)),
  );
  const shape: Shape = { fields, key: ref.key.map((name) => fields.findIndex((field) => field.name === name)), open: false };
  return { knowledge, ref, shape, open: ref.fields === null };
}

/** The same view object as long as nothing new is known. */
export function openViews(): (knowledge: Knowledge, ref: StreamRef) => View {
  const made = new WeakMap<Knowledge, Map<string, { readonly version: number; readonly view: View }>>();
  return (knowledge, ref) => {
    const views = made.get(knowledge) ?? new Map<string, { version: number; view: View }>();
    made.set(knowledge, views);
    const id = JSON.stringify([ref.name, ref.key, ref.fields, ref.except, ref.maxRecordBytes]);
    const known = views.get(id);
    if (known !== undefined && known.version === knowledge.version) return { ...known.view, ref, shape: known.view.shape };
    const view = viewOf(knowledge, ref);
    views.set(id, { version: knowledge.version, view });
    return view;
  };
}
