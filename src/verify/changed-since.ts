import { TrueupError } from '../errors.ts';
import type { Batch } from '../model/contracts.ts';
import { agrees } from './candidate.ts';
import type { Candidate } from './candidate.ts';
import { lookAt, sourceRecords } from './look.ts';
import { canonicalKey } from '../reconcile/compared-fields.ts';
import type { StreamWork } from './stream-work.ts';

export interface ChangedSince {
  readonly sinceMs: number;
  readonly limit: number;
  onRead(records: number): void;
}

export interface SinceCompared {
  readonly records: { readonly source: number; readonly target: number };
  readonly filtered: number;
  readonly candidates: readonly Candidate[];
  readonly truncated: boolean;
}

/**
 * Compares the records that the source changed from an instant on, each by its key. What was deleted in the source, and what only the target has, is not
 * among them.
 *
 * @throws {TrueupError} `E_COMPARE_UNSUPPORTED` when the source cannot tell
 */
export async function compareChanged(work: StreamWork, { sinceMs, limit, onRead }: ChangedSince): Promise<SinceCompared> {
  const { context, planned, signal } = work;
  if (context.source.changedSince === undefined)
    throw new TrueupError('E_COMPARE_UNSUPPORTED', `stream '${planned.name}': the source cannot tell which records changed since a time`, {
      hint: 'Leave `--since` out: all records are compared then.',
    });
  const found = { source: 0, target: 0, filtered: 0 };
  const candidates: Candidate[] = [];
  for await (const batch of context.source.changedSince(planned.ref, sinceMs, signal)) {
    const changed = candidatesOf(work, batch);
    await lookAt(work, changed);
    found.source += changed.length;
    onRead(changed.length);
    for (const candidate of changed) {
      const { seen } = candidate;
      if (seen?.inTarget === true) found.target++;
      if (seen?.source === 'filtered' || seen?.source === 'deleted') found.filtered++;
      if (seen === null || agrees(seen)) continue;
      if (candidates.length >= limit) return { ...result(found, candidates), truncated: true };
      candidates.push(candidate);
    }
  }
  return { ...result(found, candidates), truncated: false };
}

function result({ source, target, filtered }: { source: number; target: number; filtered: number }, candidates: readonly Candidate[]) {
  return { records: { source: source - filtered, target }, filtered, candidates };
}

function candidatesOf(work: StreamWork, batch: Batch): Candidate[] {
  const records = sourceRecords(work, batch).filter(({ kind }) => kind !== 'unlisted');
  return records.map(({ source, key }) => ({
    key: key === null ? `source:${JSON.stringify(source.map(String))}` : canonicalKey(work.expected.fields, key),
    source,
    target: key,
    seen: null,
  }));
}
