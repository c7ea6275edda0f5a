import { TrueupError, fieldIndex, sameType, typeText } from '../../src/sdk.ts';
import type { Field, Json, Problem, Shape, TargetField, TargetPlan, TargetStream, TargetStreamPlan } from '../../src/sdk.ts';
import type { Collection } from './collection.ts';
import type { MemoryDatabase } from './database.ts';

/*
 * The one statement of this system: `define <collection> <shape as JSON>`. It makes a collection, or gives it the fields that it lacks.
 */

export function planTarget(database: MemoryDatabase, stream: TargetStream): TargetStreamPlan {
  const existing = database.collections.get(stream.target);
  const wanted = existing === undefined ? withMark(stream.shape, stream) : evolved(existing.shape, stream);
  const changes = existing === undefined || wanted.fields.length > existing.shape.fields.length;
  return {
    stream: stream.stream,
    target: stream.target,
    fields: stream.shape.fields.map((field) => targetField(field, wanted)),
    forms: ['cells'],
    statements: changes ? [`define ${stream.target} ${JSON.stringify(wanted)}`] : [],
    creates: existing === undefined,
    problems: existing === undefined ? keyProblems(stream) : [...keyProblems(stream), ...driftProblems(existing, stream)],
    dependsOn: [],
  };
}

export function applyTarget(database: MemoryDatabase, plan: TargetPlan): void {
  for (const statement of plan.streams.flatMap((stream) => stream.statements)) {
    const [, name, shape] = /^define (.+?) (\{.*\})$/s.exec(statement) ?? [];
    if (name === undefined || shape === undefined)
      throw new TrueupError('E_BUG', `The memory target did not plan this statement: ${statement}`);
    database.define(name, JSON.parse(shape) as Json as unknown as Shape);
  }
}

/** The shape of a collection with the fields that the stream has beyond it. They are nullable: the rows that are there have no value for them. */
function evolved(shape: Shape, stream: TargetStream): Shape {
  const added = stream.drift.add === 'evolve' ? stream.shape.fields.filter((field) => fieldIndex(shape, field.name) < 0) : [];
  return withMark({ ...shape, fields: [...shape.fields, ...added.map((field) => ({ ...field, nullable: true }))] }, stream);
}

/** `onDelete: { mark }` puts the time of the delete into a field of the target's own. */
function withMark(shape: Shape, { onDelete }: TargetStream): Shape {
  if (typeof onDelete !== 'object' || fieldIndex(shape, onDelete.mark) >= 0) return shape;
  return { ...shape, fields: [...shape.fields, { name: onDelete.mark, type: 'timestamptz', nullable: true }] };
}

function targetField(field: Field, wanted: Shape): TargetField {
  const existing = wanted.fields[fieldIndex(wanted, field.name)];
  return { name: field.name, targetType: typeText(existing?.type ?? field.type), ...(existing === undefined ? { ignored: true } : {}) };
}

function keyProblems({ target, shape }: TargetStream): Problem[] {
  return shape.key.length > 0 ? [] : [{ severity: 'error', code: 'E_STREAM_KEY', message: `Collection '${target}' needs a key.` }];
}

function driftProblems({ name, shape }: Collection, stream: TargetStream): Problem[] {
  const drift = (message: string): Problem => ({ severity: 'error', code: 'E_DRIFT', message });
  const found: Problem[] = [];
  if (names(shape) !== names(stream.shape))
    found.push(drift(`Collection '${name}' is keyed by ${names(shape)}, the stream by ${names(stream.shape)}.`));
  for (const field of stream.shape.fields) {
    const existing = shape.fields[fieldIndex(shape, field.name)];
    if (existing === undefined && stream.drift.add === 'stop')
      found.push(drift(`Collection '${name}' has no field '${field.name}' and \`drift.add\` is stop.`));
    if (existing !== undefined && !sameType(existing.type, field.type)) {
      found.push(
        drift(`Field '${field.name}' of collection '${name}' is ${typeText(existing.type)}, the stream has ${typeText(field.type)}.`),
      );
    }
  }
  const gone = shape.fields.filter((field) => fieldIndex(stream.shape, field.name) < 0);
  if (stream.drift.drop === 'stop' && gone.length > 0)
    found.push(
      drift(
        `The stream no longer has ${gone.map((field) => field.name).join(', ')}, which collection '${name}' has, and \`drift.drop\` is stop.`,
      ),
    );
  return found;
}

function names(shape: Shape): string {
  return shape.key.map((index) => shape.fields[index]?.name).join(', ');
}
