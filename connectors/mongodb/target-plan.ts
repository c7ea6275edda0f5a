import type { Db } from 'mongodb';
import { TrueupError } from '../../src/sdk.ts';
import type { LogicalType, Problem, TargetPlan, TargetStream, TargetStreamPlan } from '../../src/sdk.ts';
import { ID, REST } from './document/layout.ts';
import type { Session } from './session.ts';
import { isDotted, pathOf } from './document/path.ts';
import { documentPlan } from './document/document.ts';
import type { JsonAs } from './document/field.ts';

/** What is known of a collection before it is written to. */
interface Existing {
  readonly type: string;
  readonly hasValidator: boolean;
}

export async function planTarget(session: Session, streams: readonly TargetStream[], signal: AbortSignal): Promise<TargetPlan> {
  const facts = await session.facts(signal);
  const found = await session.run(signal, (db) => collectionsOf(db));
  return {
    streams: streams.map((stream) =>
      planStream(stream, { json: session.options.json, existing: found.get(stream.target), names: facts.wireVersion >= DOTTED_WIRE }),
    ),
    checkpointProblems: facts.transactions
      ? []
      : [
          {
            severity: 'error',
            code: 'E_STATE',
            message: `${session.where.address} is a standalone server: checkpoints are kept in a target only where a majority acknowledges them. Set \`checkpoints: state\` on the job.`,
          },
        ],
  };
}

/** The statements of this system: `createCollection("orders")`. */
export async function applyTarget(session: Session, plan: TargetPlan, signal: AbortSignal): Promise<void> {
  for (const { statements } of plan.streams)
    for (const statement of statements) await session.run(signal, (db) => create(db, collectionIn(statement)));
}

function collectionIn(statement: string): string {
  const name = /^createCollection\((".*")\)$/s.exec(statement)?.[1];
  if (name === undefined) throw new TrueupError('E_BUG', `The mongodb target did not plan this statement: ${statement}`);
  return JSON.parse(name) as string;
}

async function create(db: Db, name: string): Promise<void> {
  try {
    await db.createCollection(name, { writeConcern: { w: 'majority', j: true } });
  } catch (error) {
    if ((error as { readonly code?: unknown }).code !== 48) throw error; // somebody made it a moment ago
  }
}

async function collectionsOf(db: Db): Promise<Map<string, Existing>> {
  const listed = await db.listCollections({}, { nameOnly: false }).toArray();
  return new Map(
    listed.map((one) => {
      const { name, type, options } = one as {
        readonly name: string;
        readonly type?: string;
        readonly options?: { readonly validator?: unknown };
      };
      return [name, { type: type ?? 'collection', hasValidator: options?.validator !== undefined }] as const;
    }),
  );
}

interface Planning {
  readonly json: JsonAs;
  readonly existing: Existing | undefined;
  /** Whether updates can name fields whose names have dots. */
  readonly names: boolean;
}

function planStream(stream: TargetStream, { json, existing, names }: Planning): TargetStreamPlan {
  const { places } = documentPlan(stream, json);
  return {
    stream: stream.stream,
    target: stream.target,
    fields: places.map(({ name, fit }) => ({ name, targetType: fit.targetType, ...(fit.loss === undefined ? {} : { loss: fit.loss }) })),
    forms: ['cells'],
    statements: existing === undefined ? [`createCollection(${JSON.stringify(stream.target)})`] : [],
    creates: existing === undefined,
    problems: [
      ...nameProblems(stream),
      ...keyProblems(stream),
      ...fieldProblems(stream),
      ...dottedProblems(stream, names),
      ...existingProblems(stream, existing),
    ],
    dependsOn: [],
  };
}

function stop(code: Problem['code'], message: string): Problem {
  return { severity: 'error', code, message };
}

function nameProblems({ stream, target }: TargetStream): Problem[] {
  const bad =
    target === '' || target.includes('$') || target.includes('\0') || target.startsWith('system.') || target.startsWith('trueup.');
  return bad
    ? [stop('E_CONFIG_INVALID', `Stream '${stream}': MongoDB takes no collection named '${target}'. Name another with \`to\`.`)]
    : [];
}

function keyProblems({ stream, shape }: TargetStream): Problem[] {
  if (shape.key.length === 0) return [stop('E_STREAM_KEY', `Stream '${stream}' needs a key, which becomes \`_id\`.`)];
  const types = shape.key.map((index) => shape.fields[index]?.type);
  if (shape.key.length === 1 && typeof types[0] === 'object' && 'list' in types[0])
    return [stop('E_STREAM_KEY', `Stream '${stream}': the key is a list, and \`_id\` cannot be an array.`)];
  return [];
}

function fieldProblems({ stream, shape, onDelete, target }: TargetStream): Problem[] {
  const key = shape.key.map((index) => shape.fields[index]?.name);
  const names = [...shape.fields.map(({ name }) => name), ...(typeof onDelete === 'object' ? [onDelete.mark] : [])];
  const held = names.filter((name) => !(shape.open && name === REST));
  const inside = shape.fields.flatMap(({ name, type }) => innerNames(type).map((one) => (isPathPart(one) ? null : `${name}.${one}`)));
  const refused = [...held.filter((name) => !isHeld(name)), ...inside.filter((name) => name !== null)];
  const problems = refused.map((name) =>
    stop('E_MAPPING_INVALID', `Stream '${stream}': documents cannot hold a field '${name}'. Give it another name in the mapping.`),
  );
  const inner = held.filter((name) => held.some((other) => name.startsWith(`${other}.`)));
  for (const name of inner)
    problems.push(
      stop('E_MAPPING_INVALID', `Stream '${stream}': '${name}' lies inside of another field of '${target}', which is no document then.`),
    );
  if (held.some((name) => pathOf(name)[0] === ID && !(key.length === 1 && key[0] === name)))
    problems.push(
      stop('E_MAPPING_KEY', `Stream '${stream}': \`_id\` is the key in MongoDB, and the key of the stream is ${key.join(', ') || 'none'}.`),
    );
  return problems;
}

/** A name that every version of MongoDB takes in documents and in updates, dots apart. */
function isHeld(name: string): boolean {
  return pathOf(name).every((part) => isPathPart(part.replaceAll('.', '_')));
}

/** MongoDB 5.0, which has `$setField`. */
const DOTTED_WIRE = 13;

/** Names with dots (`a\\.b` in a mapping). Documents hold them anywhere, but only an expression can set them, and only on the first level. */
function dottedProblems({ stream, shape, onDelete, guard }: TargetStream, canSet: boolean): Problem[] {
  const marked = typeof onDelete === 'object' ? [onDelete.mark] : [];
  return [...shape.fields.map(({ name }) => name), ...marked]
    .filter((name) => !(shape.open && name === REST) && isDotted(pathOf(name)))
    .flatMap((name) => {
      const why = !canSet
        ? 'this server cannot set it (MongoDB 5.0 can)'
        : shape.key.some((index) => shape.fields[index]?.name === name)
          ? 'it is part of the key, by which documents are looked up'
          : name === guard || marked.includes(name)
            ? 'updates are guarded, and deleted documents marked, by fields that have a path'
            : pathOf(name).length > 1
              ? 'it lies inside of a sub-document'
              : shape.open
                ? 'the documents come whole'
                : null;
      if (why === null) return [];
      return [
        stop(
          'E_MAPPING_INVALID',
          `Stream '${stream}': a name with a dot, '${name}', cannot be written here: ${why}. Give it another name in the mapping.`,
        ),
      ];
    });
}

function isPathPart(name: string): boolean {
  return name !== '' && !/^\$|[.\0]/.test(name) && name.isWellFormed();
}

/** The names of documents inside of a field. */
function innerNames(type: LogicalType): string[] {
  if (typeof type === 'string') return [];
  if ('list' in type) return innerNames(type.list);
  return type.struct.flatMap((field) => [field.name, ...innerNames(field.type)]);
}

function existingProblems({ stream, target }: TargetStream, existing: Existing | undefined): Problem[] {
  if (existing === undefined) return [];
  if (existing.type !== 'collection')
    return [stop('E_DRIFT', `Stream '${stream}': '${target}' is a ${existing.type}, which cannot be written to.`)];
  if (!existing.hasValidator) return [];
  return [
    {
      severity: 'warning',
      code: 'E_RECORD_VALUE',
      message: `Stream '${stream}': '${target}' has a validator. Documents that it refuses become dead letters.`,
    },
  ];
}
