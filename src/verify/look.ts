import { cellFromText } from '../model/cell-text.ts';
import type { Cell, Row } from '../model/cell.ts';
import type { Batch, Reject } from '../model/contracts.ts';
import { scanRows } from '../model/records.ts';
import { keyNames } from '../model/shape.ts';
import { canonicalKey, comparedField, storedCell } from '../reconcile/compared-fields.ts';
import type { ComparedField } from '../reconcile/compared-fields.ts';
import { expectedRecords } from '../reconcile/expected.ts';
import type { Expected } from '../reconcile/expected.ts';
import { addToHash, createHash, finishHash, resetHash } from '../reconcile/hash.ts';
import { targetCells } from '../reconcile/read-target.ts';
import { unreadableOnTarget } from './refuse.ts';
import type { Candidate, Seen } from './candidate.ts';
import type { StreamWork } from './stream-work.ts';

/** Records that are read by key at a time. Of each only hashes are kept, so their width does not matter. */
const KEYS_AT_ONCE = 5_000;

/** Reads candidates again by their keys, the source before the target, and notes what both hold. */
export async function lookAt(work: StreamWork, candidates: readonly Candidate[]): Promise<void> {
  for (let from = 0; from < candidates.length; from += KEYS_AT_ONCE) {
    const some = candidates.slice(from, from + KEYS_AT_ONCE);
    const source = await readBySourceKey(work, some);
    const target = await readByTargetKey(work, some);
    for (const candidate of some) {
      const ofSource = candidate.source === null ? undefined : foundOf(work, source, candidate);
      candidate.seen = seen(
        ofSource,
        candidate.target === null ? undefined : target.get(canonicalKey(work.expected.fields, candidate.target)),
      );
    }
  }
}

/** Of a child table, the row itself, else what there is to say of its record. */
function foundOf(work: StreamWork, source: ReadonlyMap<string, FromSource>, { source: key, target }: Candidate): FromSource | undefined {
  const text = sourceText(work, key ?? []);
  const row = work.child === null || target === null ? undefined : source.get(rowText(work, text, target));
  return row ?? source.get(text);
}

function rowText({ expected }: StreamWork, text: string, key: readonly Cell[]): string {
  return `${text} ${canonicalKey(expected.fields, key)}`;
}

/** What one side holds of a record: a hash per compared field, as text. */
type Held = readonly string[];

interface FromSource {
  readonly kind: Exclude<Seen['source'], 'absent'>;
  readonly held: Held;
}

function seen(source: FromSource | undefined, target: Held | undefined): Seen {
  const fields =
    source?.kind !== 'record' || target === undefined ? [] : [...target.keys()].filter((field) => target[field] !== source.held[field]);
  const content = `${source?.kind ?? 'absent'} ${source?.held.join() ?? ''} ${target?.join() ?? 'absent'}`;
  return { source: source?.kind ?? 'absent', inTarget: target !== undefined, fields, content: digestOf(content) };
}

async function readBySourceKey(work: StreamWork, candidates: readonly Candidate[]): Promise<Map<string, FromSource>> {
  const { context, planned } = work;
  const found = new Map<string, FromSource>();
  const asked = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    if (candidate.source === null) continue;
    const text = sourceText(work, candidate.source);
    asked.set(text, [...(asked.get(text) ?? []), candidate]);
  }
  if (asked.size === 0 || context.source.fetchBy === undefined) return found;
  const keys = [...asked.values()].map(([first]) => first?.source as readonly Cell[]);
  for await (const batch of context.source.fetchBy(planned.ref, planned.ref.key, keys, work.signal)) {
    for (const expected of sourceRecords(work, batch)) {
      const record = sourceText(work, expected.source);
      const text = work.child === null || expected.key === null ? record : rowText(work, record, expected.key);
      const held = expected.kind === 'record' ? heldOf(work.expected.fields, expected.cells) : [];
      const other = found.get(text);
      found.set(
        text,
        other?.kind === 'record' && expected.kind === 'record'
          ? { kind: 'record', held: either(other.held, held) }
          : { kind: expected.kind, held },
      );
      if (expected.key !== null && work.child === null) for (const candidate of asked.get(text) ?? []) candidate.target = expected.key;
    }
  }
  return found;
}

/** What is to become of every record of a batch, those that the source could not read included. */
export function sourceRecords({ expected }: Pick<StreamWork, 'expected'>, batch: Batch): Expected[] {
  const refused = (batch.rejected ?? []).flatMap(({ key, code, message }: Reject): Expected[] =>
    key === undefined ? [] : [{ kind: 'fault', source: key, key: null, code, message }],
  );
  return [...expectedRecords(expected, batch), ...refused];
}

async function readByTargetKey(work: StreamWork, candidates: readonly Candidate[]): Promise<Map<string, Held>> {
  const { context, planned, expected } = work;
  const { targetStream } = work.compared;
  const keys = new Map<string, readonly Cell[]>();
  for (const { target } of candidates) if (target !== null) keys.set(canonicalKey(expected.fields, target), target);
  const found = new Map<string, Held>();
  if (keys.size === 0) return found;
  const { fetchBy } = context.target;
  if (fetchBy === undefined) throw unreadableOnTarget(planned);
  for await (const batch of context.target.fetchBy?.(targetStream, keyNames(targetStream.shape), [...keys.values()], work.signal) ?? [])
    for (const cells of targetRecords(work, batch)) {
      const key = canonicalKey(expected.fields, cells.slice(0, expected.keyCount));
      const held = heldOf(expected.fields, cells);
      const other = found.get(key);
      found.set(key, other === undefined ? held : twice(other, held, expected.keyCount));
    }
  return found;
}

/** What two records of one key hold: where they differ, what no single record equals. */
function either(a: Held, b: Held): Held {
  return b.map((value, field) => (value === a[field] ? value : `${a[field]}|${value}`));
}

/** The same of two records of the target, whose key ought to be there once: it is what differs, if nothing else does. */
function twice(a: Held, b: Held, keyCount: number): Held {
  return either(a, b).map((value, field) => (field < keyCount ? `${value}|${value}` : value));
}

/** The compared cells of every record of the target in a batch, as carriers. */
export function* targetRecords({ expected }: Pick<StreamWork, 'expected'>, { shape, records }: Batch): Generator<Row> {
  const sources = targetCells(expected.fields, shape);
  for (const row of scanRows(records)) yield sources.map((source) => storedCell(records, row, source));
}

const hash = createHash();

function heldOf(fields: readonly ComparedField[], cells: Row): Held {
  return fields.map(({ canonical }, field) => {
    resetHash(hash);
    addToHash(hash, canonical(cells[field]));
    finishHash(hash);
    return `${hash.high.toString(36)}.${hash.low.toString(36)}`;
  });
}

function digestOf(text: string): string {
  resetHash(hash);
  addToHash(hash, text);
  finishHash(hash);
  return `${hash.high.toString(36)}.${hash.low.toString(36)}`;
}

/** Tells source keys apart by value, however they are written. */
export function sourceText({ planned: { sourcePlan } }: Pick<StreamWork, 'planned'>, key: readonly Cell[]): string {
  const { shape } = sourcePlan;
  const fields = shape.key.map((index) => comparedField(shape.fields[index]?.name ?? '', shape.fields[index]?.type ?? 'unknown'));
  return canonicalKey(fields, key);
}

/** Key cells of the target from their canonical text; `null`: it is no text of such a key. */
export function targetKeyOf({ expected }: Pick<StreamWork, 'expected'>, text: string): Cell[] | null {
  if (!text.startsWith('[')) return null;
  try {
    const parts = JSON.parse(text) as (string | null)[];
    return parts.map((part, position) => (part === null ? null : cellFromText(expected.fields[position]?.type ?? 'unknown', part)));
  } catch {
    return null;
  }
}
