import { DIGEST_BUCKETS } from '../model/digests.ts';
import type { Batch, StoredField } from '../model/contracts.ts';
import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import { checkpointStore } from '../pipeline/job-context.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import type { PlannedStream } from '../pipeline/plan/plan.ts';
import { childExpectation } from '../reconcile/child-expectation.ts';
import { digestSides, listDifferences } from '../reconcile/compare.ts';
import type { Difference, SideName } from '../reconcile/compare.ts';
import { expectation } from '../reconcile/expected.ts';
import { databaseSides, firstRecords, recordSides, unreadFields } from '../reconcile/stream-sides.ts';
import type { BothSides, ComparedStream } from '../reconcile/stream-sides.ts';
import type { Candidate } from './candidate.ts';
import { compareChanged } from './changed-since.ts';
import { explain } from './explain.ts';
import type { Finding } from './explain.ts';
import { lookAt, targetKeyOf } from './look.ts';
import { refuseUnreadable } from './refuse.ts';
import { sampleFindings } from './samples.ts';
import { settle } from './settle.ts';
import { findSourceKeys } from './source-keys.ts';
import type { StreamWork } from './stream-work.ts';
import type { StreamVerifyReport } from './verify-report.ts';

/** Differences that are looked at one by one. */
const MAX_DIFFERENCES = 100_000;
/** Records of differing buckets that one read of both sides lists. With more, hashes of notation have told nothing. */
const LISTED_AT_ONCE = 200_000;

export interface StreamRequest {
  readonly context: JobContext;
  readonly planned: PlannedStream;
  /** Compares this child table of the stream instead of its own target. */
  readonly child?: ChildTable;
  readonly together: readonly PlannedStream[];
  readonly signal: AbortSignal;
  readonly sampleShare: number;
  /** Compares only what the source changed from then on (ms since 1970). */
  readonly sinceMs: number | null;
  readonly values: boolean;
  onRead(phase: ComparePhase, side: SideName, records: number): void;
  readonly maxDifferences?: number;
  readonly pauseMs?: number;
}

export type ComparePhase = 'reading' | 'listing' | 'settling';

export interface StreamFindings {
  readonly report: StreamVerifyReport;
  readonly work: StreamWork;
  /** Of records that differ without being explained. */
  readonly findings: readonly Finding[];
}

/** Compares one stream and tells every difference that stays and that nothing explains. Reads only. */
export async function verifyStream(request: StreamRequest): Promise<StreamFindings> {
  refuseUnreadable(request.context, request.planned);
  const { work, held } = await prepare(request);
  const compared = await compare(request, work, held);
  const settled = await settleCandidates(request, work, compared.candidates);
  const store = checkpointStore(request.context);
  const letters = await store.letters({ job: request.context.job.name, stream: request.planned.name }, request.signal);
  const all = await explain(work, settled, letters);
  const findings = all.filter(({ verdict }) => verdict === 'missing' || verdict === 'extra' || verdict === 'different');
  const count = (verdict: Finding['verdict']) => all.filter((finding) => finding.verdict === verdict).length;
  const heldAll = all.filter(
    ({ candidate: { seen } }) => seen?.inTarget === true && (seen.source === 'filtered' || seen.source === 'deleted'),
  ).length;
  return {
    work,
    findings,
    report: {
      stream: request.planned.name,
      target: (request.child ?? request.planned).target.target,
      by: compared.by,
      compared: compared.records,
      missing: count('missing'),
      extra: count('extra'),
      different: count('different'),
      explained: {
        deadLettered: count('deadLettered'),
        filtered: Math.max(0, compared.filtered - heldAll),
        pending: count('pending'),
        kept: count('kept'),
      },
      repaired: 0,
      samples: await sampleFindings(work, findings, request.values),
      ...(compared.truncated ? { truncated: true } : {}),
    },
  };
}

async function prepare({
  context,
  planned,
  child: table,
  together,
  signal,
}: StreamRequest): Promise<{ readonly work: StreamWork; readonly held: Batch | null }> {
  const { source, target } = context;
  const child = table ?? null;
  const mapping = child === null ? planned.mapping : child.plan.mapping;
  const targetStream = (child ?? planned).target;
  const compared: ComparedStream = { source, target, ref: planned.ref, mapping, targetStream };
  const stored: readonly (StoredField | null)[] | null = (await target.storedAs?.(targetStream, signal)) ?? null;
  const held = await firstRecords(compared, stored, signal);
  const secrets = (text: string): string => context.secrets(text);
  const init = { mapping: planned.mapping, target: targetStream, stored, scanned: held?.shape ?? null, secrets };
  const expected = child === null ? expectation(init) : childExpectation({ ...init, child: child.plan });
  return { work: { context, planned, together, compared, child, expected, signal }, held };
}

interface Compared {
  readonly by: StreamVerifyReport['by'];
  readonly records: { readonly source: number; readonly target: number };
  readonly filtered: number;
  readonly candidates: readonly Candidate[];
  readonly truncated: boolean;
}

async function compare(request: StreamRequest, work: StreamWork, held: Batch | null): Promise<Compared> {
  const { sinceMs, signal } = request;
  if (sinceMs !== null) {
    const limit = request.maxDifferences ?? MAX_DIFFERENCES;
    const onChanged = (records: number): void => request.onRead('reading', 'source', records);
    return { by: 'records', ...(await compareChanged(work, { sinceMs, limit, onRead: onChanged })) };
  }
  const inside = await databaseSides(work.compared, work.expected, signal);
  return inside === null ? byRecords(request, work, held) : inDatabases(request, work, inside, held);
}

/** Hashes made in the databases are of notation: were there too many to look at one by one, most may be equal by value, and only reading tells. */
async function inDatabases(request: StreamRequest, work: StreamWork, sides: BothSides, held: Batch | null): Promise<Compared> {
  const digests = await digestSides({ ...sides, signal: request.signal, onRead: onRead(request, 'reading') }, bucketsOf(request));
  const { candidates, truncated } = await list(request, work, { ...sides, digests });
  if (truncated) return byRecords(request, work, held);
  return { by: 'database', records: digests.records, filtered: 0, candidates, truncated };
}

async function byRecords(request: StreamRequest, work: StreamWork, held: Batch | null): Promise<Compared> {
  const stream = work.compared;
  const { expected } = work;
  let filtered = 0;
  const digest = (unread: readonly (string | null)[]) => {
    filtered = 0;
    const sides = recordSides({ stream, expected, unread, onFiltered: (count) => void (filtered += count) });
    return digestSides({ ...sides, signal: request.signal, onRead: onRead(request, 'reading') }, bucketsOf(request));
  };
  const unread = unreadFields(stream, { expected, sourceShape: request.planned.sourcePlan.shape, held });
  // A record lies in the bucket that its key decides, whichever way its other fields are hashed.
  const byValue = unread.map((dialect, position) => (position < expected.keyCount ? dialect : null));
  let digests = await digest(unread);
  const listed = digests.buckets.reduce(
    (sum, bucket) => sum + Math.max(digests.source.counts[bucket] ?? 0, digests.target.counts[bucket] ?? 0),
    0,
  );
  if (listed > LISTED_AT_ONCE && unread.some((dialect, position) => dialect !== byValue[position])) digests = await digest(byValue);
  const { candidates, truncated } = await list(request, work, { ...recordSides({ stream, expected, unread: byValue }), digests });
  return { by: 'records', records: digests.records, filtered, candidates, truncated };
}

function bucketsOf({ sampleShare }: StreamRequest): number {
  return Math.max(1, Math.ceil(sampleShare * DIGEST_BUCKETS));
}

function onRead(request: StreamRequest, phase: ComparePhase) {
  return (side: SideName, records: number): void => request.onRead(phase, side, records);
}

async function list(
  request: StreamRequest,
  work: StreamWork,
  { source, target, digests }: BothSides & { readonly digests: Awaited<ReturnType<typeof digestSides>> },
): Promise<Pick<Compared, 'candidates' | 'truncated'>> {
  const limit = request.maxDifferences ?? MAX_DIFFERENCES;
  const candidates: Candidate[] = [];
  const sides = { source, target, signal: request.signal, onRead: onRead(request, 'listing') };
  for await (const differences of listDifferences(digests, sides, LISTED_AT_ONCE)) {
    for (const difference of differences) {
      if (candidates.length >= limit) return { candidates, truncated: true };
      candidates.push(candidateOf(work, difference));
    }
  }
  return { candidates, truncated: false };
}

function candidateOf(work: StreamWork, { key, source, target }: Difference): Candidate {
  return { key, source, target: target ?? targetKeyOf(work, key), seen: null };
}

async function settleCandidates(request: StreamRequest, work: StreamWork, candidates: readonly Candidate[]) {
  await findSourceKeys(work, candidates);
  // Nothing can be looked up of a record whose key nobody could read.
  const [unnamed, named] = [true, false].map((is) => candidates.filter(({ key }) => key.startsWith('position:') === is));
  const { context, signal } = request;
  const settled = await settle(named ?? [], {
    look: (some) => lookAt(work, some),
    checkpoints: () => checkpointStore(context).list(context.job.name, signal),
    signal,
    ...(request.pauseMs === undefined ? {} : { pauseMs: request.pauseMs }),
    onRound: (left) => request.onRead('settling', 'source', left),
  });
  return [...settled, ...(unnamed ?? []).map((candidate) => ({ candidate, checkpoints: [] }))];
}
