import type { Cell } from '../model/cell.ts';
import { cellToText } from '../model/cell-text.ts';
import type { Letter } from '../model/checkpoint.ts';
import type { WrittenBy } from '../model/contracts.ts';
import { compareDecimals, parseDecimal } from '../model/decimal.ts';
import { typedKey } from '../model/key-text.ts';
import type { ChildTable } from '../pipeline/plan/child-tables.ts';
import { checkpointStore } from '../pipeline/job-context.ts';
import type { JobContext } from '../pipeline/job-context.ts';
import { storedStatus } from '../pipeline/report/job-status.ts';
import { letterKeyOf } from '../pipeline/letters/letter-book.ts';
import { planJob } from '../pipeline/plan/plan.ts';
import type { JobPlan, PlannedStream } from '../pipeline/plan/plan.ts';
import { planAgain, withStreams } from './plan-again.ts';
import { childSides } from './why-child.ts';
import { whyBecause } from './why-because.ts';
import { readDelivery } from './why-delivery.ts';
import type { Delivery } from './why-delivery.ts';
import { recordTexts } from './why-expected.ts';
import type { WhyFacts } from './why-facts.ts';
import { namedRecord } from './why-key.ts';
import { whyNext } from './why-next.ts';
import type { WhyReport } from './why-report.ts';
import { readSides } from './why-sides.ts';
import type { Sides } from './why-sides.ts';
import { namedStream } from './why-stream.ts';
import type { FeedStream } from './why-stream.ts';
import { whyExitCode, whyVerdict } from './why-verdict.ts';

export interface WhyQuestion {
  /** As the source calls it, or its target. */
  readonly stream: string;
  /** As typed: the plain value, or a JSON array for composite keys. */
  readonly key: string;
}

/** A record that changes all the time is what the last look says. */
const MOST_LOOKS = 5;

/** What was found out, beside what decides. */
interface Found {
  readonly planned: PlannedStream;
  /** What is written: the stream's own target, or a child table. */
  readonly held: PlannedStream | ChildTable;
  readonly sides: Sides;
  readonly delivery: Delivery;
  readonly written: WrittenBy | null;
  readonly facts: WhyFacts;
}

/** Explains one record. Reads only, and takes no lease: a run may go on at the same time. */
export async function explainRecord(context: JobContext, question: WhyQuestion, signal: AbortSignal): Promise<WhyReport> {
  let plan = await planJob(context, signal);
  const { planned } = namedStream(context, plan, question.stream);
  const onPlan = (next: JobPlan): void => void (plan = withStreams(plan, next));
  return planAgain({ context, planned, signal, onPlan }, () => explainPlanned(context, plan, question, signal));
}

async function explainPlanned(context: JobContext, plan: JobPlan, question: WhyQuestion, signal: AbortSignal): Promise<WhyReport> {
  const stream = namedStream(context, plan, question.stream);
  const { planned } = stream;
  const held = stream.child ?? planned;
  const { sides, delivery } = await settledSides({ context, plan, stream, key: question.key }, signal);
  const heldBack = (await context.source.heldBack?.(stream.feed, signal)) ?? null;
  const letter = await letterOf(context, planned, sides.key, signal);
  const written =
    sides.actual === null || sides.targetKey === null
      ? null
      : ((await context.target.writtenBy?.(held.target, sides.targetKey, signal)) ?? null);
  const { owner } = await storedStatus(context, signal);
  const runner = owner?.live === true ? { host: owner.process.host, pid: owner.process.pid } : null;
  const facts = factsOf(context, { planned, held, sides, delivery, written, letter, heldBack, runner });
  return reportOf({ planned, held, sides, delivery, written, facts });
}

interface Asked {
  readonly context: JobContext;
  readonly plan: JobPlan;
  readonly stream: FeedStream;
  /** As typed. */
  readonly key: string;
}

/**
 * Both sides, and what is still to come. A run may deliver the record between the look at the sides and the question whether it is still to come: a
 * difference that nothing explains counts only when both sides are the same afterwards.
 */
async function settledSides({ context, plan, stream, key }: Asked, signal: AbortSignal): Promise<Pick<Found, 'sides' | 'delivery'>> {
  const { planned, child } = stream;
  let sides =
    child === null ? await namedRecord(context, planned, key, signal) : await childSides({ context, planned, child }, key, signal);
  for (let look = 1; ; look++) {
    const delivery = await readDelivery({ context, plan, stream, key: sides.key }, signal);
    if (delivery.undelivered === true || isAgreed(sides) || look === MOST_LOOKS) return { sides, delivery };
    const again = await lookAgain({ context, plan, stream, key }, sides, signal);
    if (isSame(again, sides)) return { sides, delivery };
    sides = again;
  }
}

function lookAgain({ context, stream: { planned, child }, key }: Asked, sides: Sides, signal: AbortSignal): Promise<Sides> {
  if (child !== null) return childSides({ context, planned, child }, key, signal);
  return sides.key === null ? Promise.resolve(sides) : readSides(context, planned, sides.key, signal);
}

function isAgreed({ becomes, fields }: Sides): boolean {
  return becomes?.kind === 'record' && fields.every((field) => field.equal);
}

function isSame(a: Sides, b: Sides): boolean {
  const content = ({ count, becomes, fields }: Sides): string => JSON.stringify([count, becomes, fields]);
  return content(a) === content(b);
}

/** Letters stand under the source's key, in canonical texts. */
async function letterOf(
  context: JobContext,
  planned: PlannedStream,
  key: readonly Cell[] | null,
  signal: AbortSignal,
): Promise<Letter | null> {
  if (key === null) return null;
  const letters = await checkpointStore(context).letters({ job: context.job.name, stream: planned.name }, signal);
  const text = letterKeyOf(planned.sourcePlan.shape, key);
  return letters.find((letter) => letter.key === text) ?? null;
}

interface Gathered
  extends Pick<Found, 'planned' | 'held' | 'sides' | 'delivery' | 'written'>, Pick<WhyFacts, 'letter' | 'heldBack' | 'runner'> {}

function factsOf({ job }: JobContext, { planned, held, sides, delivery, written, letter, heldBack, runner }: Gathered): WhyFacts {
  const { entry } = planned;
  const { target, targetPlan } = held;
  return {
    job: job.name,
    stream: planned.name,
    target: target.target,
    key: held === planned ? keyText(planned, sides) : targetKeyText(sides, target.shape.key.length),
    part: held === planned ? null : { record: recordKey(planned, sides), isThere: sides.isRecordThere === true },
    records: sides.count,
    becomes: sides.becomes,
    inTarget: sides.actual !== null ? 'present' : targetPlan.creates ? 'none' : 'absent',
    differing: sides.fields.flatMap((field) => (field.equal ? [] : [field.field])),
    letter,
    life: delivery.life,
    partly: delivery.partly,
    isPlanChanged: delivery.isPlanChanged,
    undelivered: delivery.undelivered,
    heldBack,
    deletes: delivery.deletes,
    onDelete: entry.onDelete,
    onExit: entry.onExit,
    guardedBy: entry.guard !== null && isNewerByGuard(sides, entry.guard) ? entry.guard : null,
    isOurs: written !== null,
    assumes: planned.guarantee.assumes,
    runner,
    schedule: job.schedule?.kind ?? 'by-hand',
    obstacle: delivery.obstacle,
  };
}

/** As a person types it: the source's key, or the target's where the source has no such record. */
function keyText({ sourcePlan, target }: PlannedStream, sides: Sides): string {
  return recordKey({ sourcePlan }, sides) ?? targetKeyText(sides, target.shape.key.length);
}

function recordKey({ sourcePlan }: Pick<PlannedStream, 'sourcePlan'>, { key }: Sides): string | null {
  return key === null ? null : typedKey(letterKeyOf(sourcePlan.shape, key));
}

function targetKeyText({ targetKey, expected }: Sides, count: number): string {
  const fields = expected.fields.slice(0, count);
  return typedKey(JSON.stringify(fields.map(({ type }, index) => cellToText(type, targetKey?.[index]))));
}

/** Whether the target's record is newer by the guard field than what the source's maps to. */
function isNewerByGuard({ cells, expected }: Sides, guard: string): boolean {
  const index = expected.fields.findIndex((field) => field.name === guard);
  const [ours, theirs] = [cells?.expected[index], cells?.actual[index]];
  if (expected.fields[index]?.type === 'decimal') {
    const [a = null, b = null] = [ours, theirs].map((cell) => (typeof cell === 'string' ? parseDecimal(cell) : null));
    return a !== null && b !== null && compareDecimals(a, b) < 0;
  }
  if (typeof ours === 'bigint' && typeof theirs === 'bigint') return ours < theirs;
  if (typeof ours === 'number' && typeof theirs === 'number') return ours < theirs;
  // Civil dates and times: within one length their texts stand in the order of time.
  return typeof ours === 'string' && typeof theirs === 'string' && ours < theirs;
}

function reportOf({ planned, sides, delivery, written, facts }: Found): WhyReport {
  const { checkpoint, life } = delivery;
  const verdict = whyVerdict(facts);
  const { becomes, letter, heldBack, obstacle } = facts;
  return {
    command: 'why',
    job: facts.job,
    stream: planned.name,
    target: facts.target,
    key: facts.key,
    verdict,
    exitCode: whyExitCode(facts, verdict),
    because: whyBecause(facts, verdict),
    ...(sides.source === null ? {} : { source: recordTexts(sides.source) }),
    ...(sides.actual === null ? {} : { actual: recordTexts(sides.actual) }),
    fields: sides.fields,
    ...(sides.count > 1 ? { records: sides.count } : {}),
    ...(becomes?.kind === 'filtered' || becomes?.kind === 'deleted' ? { leftOutBy: becomes.by } : {}),
    ...(becomes?.kind === 'fault' ? { fault: { code: becomes.code, message: becomes.message } } : {}),
    ...(written === null ? {} : { written }),
    ...(checkpoint === null || life === 'new' ? {} : { checkpoint: checkpointOf(life, checkpoint) }),
    ...(heldBack === null ? {} : { heldBack }),
    ...(letter === null ? {} : { letter: letterParts(letter) }),
    ...(obstacle === null ? {} : { obstacle: { code: obstacle.code, message: obstacle.message } }),
    next: whyNext(facts, verdict),
  };
}

function checkpointOf(
  state: NonNullable<WhyReport['checkpoint']>['state'],
  { position, savedAt }: NonNullable<Delivery['checkpoint']>,
): NonNullable<WhyReport['checkpoint']> {
  return { state, position: position.text, ...(savedAt === undefined ? {} : { savedAt }) };
}

function letterParts({ code, message, kind, at, attempts, run }: Letter): NonNullable<WhyReport['letter']> {
  return { code, message, kind, at, attempts, run };
}
