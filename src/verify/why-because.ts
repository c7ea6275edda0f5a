import type { WhyFacts } from './why-facts.ts';
import type { WhyVerdict } from './why-report.ts';
import { sentence } from './why-words.ts';

/** Why the verdict is what it is, in a sentence or two. */
export function whyBecause(facts: WhyFacts, verdict: WhyVerdict): string {
  return [...duplicates(facts), ...reason(facts, verdict)].join(' ');
}

const PLAN_CHANGED =
  'Mapping, key, change method or filter changed since the checkpoint was written, and the target still holds what they made before.';

function duplicates({ records, stream }: WhyFacts): string[] {
  if (records < 2) return [];
  return [
    `Stream '${stream}' has ${records} records with this key, and the target can hold one: which of them it holds is the last that was written.`,
  ];
}

function reason(facts: WhyFacts, verdict: WhyVerdict): string[] {
  const { becomes, differing, letter, life, target } = facts;
  switch (verdict) {
    case 'equal':
      return [`'${target}' holds what the source's record maps to.`];
    case 'not-in-source':
      return facts.part?.isThere === true
        ? [`${noElement(facts)} The target has no such row either.`]
        : ['The source has no such record, and neither has the target.'];
    case 'filtered':
      return [`${leftOut(facts)}${facts.inTarget === 'present' ? ' The target keeps it from before, as the job allows.' : ''}`];
    case 'dead-letter':
      return [
        `${facts.part === null ? 'It' : `Record ${facts.part.record ?? ''}, which it is a part of,`} could not be written${attempts(letter?.attempts ?? 1)}: [${letter?.code ?? ''}] ${sentence(letter?.message ?? '')}`,
        ...(facts.inTarget === 'present' && becomes?.kind !== 'filtered' ? [stale(facts)] : []),
      ];
    case 'pending':
    case 'held-back':
      return pending(facts, verdict);
    case 'deleted':
      if (facts.part?.isThere === true && becomes === null) return [`${noElement(facts)} It is still in '${target}'.`];
      return [becomes === null ? `It is gone from the source, and still in '${target}'.` : `${leftOut(facts)} It is still in '${target}'.`];
    case 'extra':
      return [
        `${leftOut(facts)} It is in '${target}' all the same, and no delivery is due.`,
        ...(facts.isPlanChanged ? [PLAN_CHANGED] : []),
      ];
    case 'missing':
      return becomes?.kind === 'fault'
        ? [faulty(becomes.message, becomes.code), 'The target has no such record.']
        : facts.isPlanChanged && facts.inTarget !== 'none'
          ? [`'${target}' lacks it.`, PLAN_CHANGED]
          : [...missing(facts), ...(life === 'refilling' ? ['A backfill of a part of the stream is not finished.'] : [])];
    case 'different':
      return becomes?.kind === 'fault'
        ? [faulty(becomes.message, becomes.code), 'The target holds an earlier version.']
        : facts.isPlanChanged
          ? [`${fields(differing)}.`, PLAN_CHANGED]
          : [`${fields(differing)}.`, ...notDue(facts)];
  }
}

function pending(facts: WhyFacts, verdict: 'pending' | 'held-back'): string[] {
  const { becomes, life, heldBack } = facts;
  const fault = becomes?.kind === 'fault' ? [faulty(becomes.message, becomes.code)] : [];
  const left = becomes?.kind === 'filtered' || becomes?.kind === 'deleted' ? [leftOut(facts)] : [];
  if (facts.undelivered === true) {
    const what = changed(facts);
    const held =
      verdict === 'pending' || heldBack === null
        ? []
        : [`Deliveries wait for a transaction that has been open since ${heldBack.since}: ${heldBack.by}.`];
    return [...fault, ...left, what, ...held];
  }
  if (life === 'refilling') return [...fault, ...left, 'A backfill of the stream is not finished.'];
  const load = life === 'new' ? 'The stream has not been loaded yet.' : 'The first load is not finished.';
  return [...fault, ...left, load];
}

function changed({ part, becomes }: WhyFacts): string {
  if (part === null)
    return becomes === null ? 'It was deleted in the source after the checkpoint.' : 'It changed in the source after the checkpoint.';
  return `Record ${part.record ?? ''}, which it is a part of, ${part.isThere ? 'changed' : 'was deleted'} in the source after the checkpoint.`;
}

function noElement({ part, stream }: WhyFacts): string {
  return `Record ${part?.record ?? ''} of '${stream}' has no such element.`;
}

/** By snapshot whatever differs is due at any time. Else the guarantee says what a change method cannot see. */
function notDue({ deletes, isOurs, assumes }: WhyFacts): string[] {
  if (deletes.bySnapshot) return [];
  const assumed = assumes.length === 0 ? '' : ` The job assumes: ${assumes.join('; ')}.`;
  const unseen = `the source changed it in a way that its change method does not see.${assumed}`;
  return isOurs
    ? ['No delivery is due.', `The target's record is as a run wrote it, so ${unseen}`]
    : ['No delivery is due.', `Either somebody else changed the target, or ${unseen}`];
}

function missing(facts: WhyFacts): string[] {
  const { inTarget, target } = facts;
  if (inTarget === 'none') return [`'${target}' does not exist, while the checkpoint says that records were written to it.`];
  return [`'${target}' lacks it.`, ...notDue(facts)];
}

function stale({ differing, becomes }: WhyFacts): string {
  return becomes?.kind === 'record' && differing.length > 0
    ? `The target holds an earlier version: ${fieldList(differing)}.`
    : 'The target holds an earlier version.';
}

function leftOut({ becomes }: WhyFacts): string {
  if (becomes?.kind === 'filtered') return `It does not pass '${becomes.by.label}': ${becomes.by.expression}.`;
  if (becomes?.kind === 'deleted') return `It counts as deleted in the source by '${becomes.by.label}': ${becomes.by.expression}.`;
  return '';
}

function faulty(message: string, code: string): string {
  return `It cannot be carried: [${code}] ${sentence(message)}`;
}

function fields(names: readonly string[]): string {
  return names.length === 1 ? `Field ${fieldList(names)} differs` : `${names.length} fields differ (${fieldList(names)})`;
}

function fieldList(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(', ');
  return names.length > 8 ? `${shown}, and ${names.length - 8} more` : shown;
}

function attempts(count: number): string {
  return count > 1 ? `, ${count} times so far` : '';
}
