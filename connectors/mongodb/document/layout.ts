import type { Field, LogicalType, Shape } from '../../../src/sdk.ts';
import { SYSTEM } from '../native.ts';
import { MAX_NAMES } from '../sample.ts';
import type { PathSample, Sample } from '../sample.ts';

/** Where a field's value is found in a document, or what lies on the way there. */
export type Node =
  | { readonly kind: 'field'; readonly field: string }
  | { readonly kind: 'branch'; readonly names: ReadonlyMap<string, Node> };

/** The fields that documents of a collection are taken apart into. */
export interface Layout {
  readonly shape: Shape;
  readonly names: ReadonlyMap<string, Node>;
  /** Fields whose type the config declares: values of other types are converted. */
  readonly declared: ReadonlySet<string>;
  /** Fields that too few documents have for a field of their own; they travel in `*`. */
  readonly rare: readonly string[];
}

export interface LayoutRules {
  readonly documents: 'fields' | 'whole';
  /** Types by path. */
  readonly fields: Readonly<Record<string, LogicalType>>;
}

/** The last field of every layout: all of the document that no other field holds. */
export const REST = '*';
export const ID = '_id';

/** A field of its own takes this share of the documents that could have it. */
const MIN_SHARE = 0.05;
/** A collection whose documents are all alike has a table's worth of fields, not more. */
const MAX_FIELDS = 500;

/** By the name of the type that MongoDB gives. What is not here varies, or has no type of its own. */
const SCALARS: Readonly<Record<string, LogicalType>> = {
  double: 'float64',
  string: 'text',
  objectId: 'objectId',
  bool: 'bool',
  date: 'timestamptz',
  int: 'int32',
  long: 'int64',
  decimal: 'decimal',
  binData: 'bytes',
  uuid: 'uuid',
};

interface Draft {
  readonly fields: Field[];
  readonly rare: string[];
  readonly rules: LayoutRules;
  readonly sample: Sample;
}

/**
 * One field per path. A path whose values were of one type has that type; sub-documents are taken apart (`customer.name`) where every value was a sub-document;
 * everything else is `variant`. Names that a path cannot hold (with a dot, empty, `*`) stay in `*`.
 */
export function layoutOf(sample: Sample, rules: LayoutRules): Layout {
  const draft: Draft = { fields: [], rare: [], rules, sample };
  const names = new Map<string, Node>();
  const id = rules.fields[ID] ?? joined(sample.known.get(ID), typeOf(sample.root.names.get(ID))) ?? 'objectId';
  draft.fields.push({ name: ID, type: id, nullable: false, ...nativeOf(sample.root.names.get(ID), id) });
  names.set(ID, { kind: 'field', field: ID });
  if (rules.documents === 'fields') {
    addNames(draft, names, { at: sample.root, of: sample.documents, path: '' });
    addKnown(draft, names);
  }
  for (const [path, type] of Object.entries(rules.fields)) addDeclared(draft, names, path, type);
  for (const field of draft.fields) sample.listed.add(field.name);
  const fields: Field[] = [...draft.fields, { name: REST, type: 'variant', nullable: true, native: { system: SYSTEM, type: 'object' } }];
  return { shape: { fields, key: [0], open: true }, names, declared: new Set(Object.keys(rules.fields)), rare: draft.rare };
}

function addNames(
  draft: Draft,
  names: Map<string, Node>,
  { at, of, path }: { readonly at: PathSample; readonly of: number; readonly path: string },
): void {
  for (const [name, child] of at.names) {
    const childPath = path === '' ? name : `${path}.${name}`;
    if (childPath === ID || !isPathName(name) || childPath in draft.rules.fields) continue;
    if (child.count < of * MIN_SHARE && !isListed(draft.sample, childPath)) {
      draft.rare.push(childPath);
      continue;
    }
    if (isBranch(draft.sample, childPath, child)) {
      const inner = new Map<string, Node>();
      addNames(draft, inner, { at: child, of: child.count, path: childPath });
      if (inner.size > 0) names.set(name, { kind: 'branch', names: inner });
      continue;
    }
    if (draft.fields.length >= MAX_FIELDS && !draft.sample.listed.has(childPath)) continue;
    const type = joined(draft.sample.known.get(childPath), typeOf(child)) ?? 'variant';
    draft.fields.push({ name: childPath, type, nullable: true, ...nativeOf(child, type) });
    names.set(name, { kind: 'field', field: childPath });
  }
}

function isListed({ listed }: Sample, path: string): boolean {
  return listed.has(path) || [...listed].some((one) => one.startsWith(`${path}.`));
}

/** What a path, a mapping and a query can name. */
export function isPathName(name: string): boolean {
  return name !== '' && name !== REST && !name.startsWith('$') && !/[.\\]/.test(name);
}

/** What was a field of its own stays one, and what was taken apart stays so, whatever later samples hold. */
function isBranch({ listed }: Sample, path: string, child: PathSample): boolean {
  if (listed.has(path)) return false;
  return isTakenApart(child) || [...listed].some((one) => one.startsWith(`${path}.`));
}

/** The type that a field had, and the one that its values have now. */
function joined(known: LogicalType | undefined, seen: LogicalType | undefined): LogicalType | undefined {
  return known === undefined || seen === undefined || known === seen ? (known ?? seen) : 'variant';
}

/** Fields of earlier runs that no sample of this one holds. */
function addKnown(draft: Draft, names: Map<string, Node>): void {
  for (const [path, type] of draft.sample.known) {
    const isThere = path === REST || path in draft.rules.fields || draft.fields.some(({ name }) => name === path);
    if (!isThere) addDeclared(draft, names, path, type);
  }
}

/** Every value that is not null was a sub-document, and their names are not data. */
function isTakenApart({ types, names }: PathSample): boolean {
  const known = [...types.keys()].filter((type) => type !== 'null');
  return known.length === 1 && known[0] === 'object' && names.size > 0 && names.size <= MAX_NAMES;
}

/** `undefined`: nothing is known. */
function typeOf(path: PathSample | undefined): LogicalType | undefined {
  const known = [...(path?.types.keys() ?? [])].filter((type) => type !== 'null');
  if (known.length === 0) return path === undefined ? undefined : 'variant';
  return known.length === 1 ? (SCALARS[known[0] as string] ?? 'variant') : 'variant';
}

function nativeOf(path: PathSample | undefined, type: LogicalType): { readonly native: NonNullable<Field['native']> } {
  const seen = [...(path?.types.keys() ?? [])].filter((name) => name !== 'null').sort();
  const native = Object.entries(SCALARS).find(([, scalar]) => scalar === type)?.[0];
  return {
    native: { system: SYSTEM, type: type === 'variant' ? (seen.length === 1 ? (seen[0] as string) : 'mixed') : (native ?? 'mixed') },
  };
}

/** A declared path stands in the place of whatever samples say of it or of what lies inside of it. */
function addDeclared(draft: Draft, names: Map<string, Node>, path: string, type: LogicalType): void {
  if (path === ID || path === REST) return;
  const parts = path.split('.');
  const last = parts.pop() as string;
  let at = names;
  for (const part of parts) {
    const next = at.get(part);
    const inner = new Map(next?.kind === 'branch' ? next.names : []);
    at.set(part, { kind: 'branch', names: inner });
    at = inner;
  }
  at.set(last, { kind: 'field', field: path });
  draft.fields.push({ name: path, type, nullable: true, ...nativeOf(undefined, type) });
}
