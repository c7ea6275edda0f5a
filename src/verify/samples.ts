import { cellToText } from '../model/cell-text.ts';
import type { Cell, Row } from '../model/cell.ts';
import { keyNames } from '../model/shape.ts';
import type { LogicalType } from '../model/logical-type.ts';
import { typedKey } from '../model/key-text.ts';
import { letterKeyOf } from '../pipeline/letters/letter-book.ts';
import { canonicalKey } from '../reconcile/compared-fields.ts';
import type { Candidate } from './candidate.ts';
import type { Finding } from './explain.ts';
import { sourceRecords, sourceText, targetRecords } from './look.ts';
import type { StreamWork } from './stream-work.ts';
import type { VerifyField, VerifySample } from './verify-report.ts';

/** Of each kind. */
const SAMPLES = 10;
const KINDS = ['missing', 'extra', 'different'] as const;

/** A few differences of each kind, with the fields that differ; with their values only when asked for, which are read once more for that. */
export async function sampleFindings(work: StreamWork, findings: readonly Finding[], values: boolean): Promise<VerifySample[]> {
  const chosen = KINDS.flatMap((kind) => findings.filter(({ verdict }) => verdict === kind).slice(0, SAMPLES));
  const texts = values ? await readValues(work, chosen.map(({ candidate }) => candidate)) : null; // prettier-ignore
  return chosen.map(({ candidate, verdict }) => ({
    key: keyOf(work, candidate, verdict),
    kind: verdict as VerifySample['kind'],
    fields: (candidate.seen?.fields ?? []).map((field): VerifyField => ({
      field: work.expected.fields[field]?.name ?? '',
      ...texts?.get(candidate)?.(field),
    })),
  }));
}

/** As `why` takes it: the source's key, or of a record that only the target has, the target's. */
function keyOf({ planned, expected, child }: StreamWork, { key, source, target }: Candidate, verdict: string): string {
  if ((verdict === 'extra' || child !== null) && target !== null)
    return typedKey(JSON.stringify(target.map((cell, position) => cellToText(expected.fields[position]?.type ?? 'unknown', cell))));
  return source === null ? key : typedKey(letterKeyOf(planned.sourcePlan.shape, source));
}

/** Rows of a child table have the key of their record, and are told apart by their own. */
function textOfRecord(work: StreamWork, source: readonly Cell[], target: readonly Cell[]): string {
  const text = sourceText(work, source);
  return work.child === null ? text : `${text} ${canonicalKey(work.expected.fields, target)}`;
}

type Values = (field: number) => Pick<VerifyField, 'source' | 'target'>;

async function readValues(work: StreamWork, candidates: readonly Candidate[]): Promise<Map<Candidate, Values>> {
  const { context, planned, expected } = work;
  const { targetStream } = work.compared;
  const found = new Map<Candidate, Values>();
  const both = candidates.filter(
    (candidate) => candidate.source !== null && candidate.target !== null && candidate.seen?.inTarget === true,
  );
  if (both.length === 0) return found;
  const source = new Map<string, Row>();
  for await (const batch of context.source.fetchBy?.(planned.ref, planned.ref.key, keysOf(both, 'source'), work.signal) ?? [])
    for (const record of sourceRecords(work, batch))
      if (record.kind === 'record') source.set(textOfRecord(work, record.source, record.key), record.cells);
  const target = new Map<string, Row>();
  for await (const batch of context.target.fetchBy?.(targetStream, keyNames(targetStream.shape), keysOf(both, 'target'), work.signal) ?? [])
    for (const cells of targetRecords(work, batch)) target.set(canonicalKey(expected.fields, cells.slice(0, expected.keyCount)), cells);
  for (const candidate of both) {
    const wanted = source.get(textOfRecord(work, candidate.source ?? [], candidate.target ?? []));
    const held = target.get(canonicalKey(expected.fields, candidate.target ?? []));
    if (wanted === undefined || held === undefined) continue;
    found.set(candidate, (field) => {
      const type = expected.fields[field]?.type ?? 'unknown';
      return { source: textOf(type, wanted[field]), target: textOf(type, held[field]) };
    });
  }
  return found;
}

function keysOf(candidates: readonly Candidate[], side: 'source' | 'target'): (readonly Cell[])[] {
  return candidates.map((candidate) => candidate[side] ?? []);
}

/** Text that no carrier of its type can hold is shown as it is. */
function textOf(type: LogicalType, cell: Cell): string | null {
  return typeof cell === 'string' && typeof type !== 'string' ? cell : cellToText(type, cell);
}
