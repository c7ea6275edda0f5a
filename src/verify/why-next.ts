import { ERROR_CODES } from '../errors.ts';
import type { WhyFacts } from './why-facts.ts';
import type { WhyVerdict } from './why-report.ts';
import { isKept } from './why-verdict.ts';
import { commandText, keyWords, sentence } from './why-words.ts';

/** What will happen by itself, and what a person can do. */
export function whyNext(facts: WhyFacts, verdict: WhyVerdict): string {
  return [...steps(facts, verdict), ...duplicates(facts), ...hidden(facts, verdict)].join(' ');
}

function steps(facts: WhyFacts, verdict: WhyVerdict): string[] {
  switch (verdict) {
    case 'equal':
    case 'filtered':
    case 'not-in-source':
      return settled(facts);
    case 'pending':
    case 'held-back':
      return [...deliveries(facts, verdict), ...afterFault(facts)];
    case 'dead-letter':
      return deadLetter(facts);
    case 'deleted':
      return deleted(facts);
    case 'extra':
      return facts.isPlanChanged ? [reload(facts)] : [`No run deletes it before it changes in the source. ${repair(facts)}`];
    case 'missing':
    case 'different':
      return differing(facts, verdict);
  }
}

function settled(facts: WhyFacts): string[] {
  const { letter, job, life } = facts;
  const key = letterKeyText(facts);
  if (letter !== null)
    return [
      `Its dead letter is out of date: ${commandText('dead-letters', 'replay', job, ...keyWords(key))} takes it away, and so does its next delivery.`,
    ];
  return [life === 'new' ? 'Nothing. The stream itself has not been loaded yet.' : 'Nothing is left to be done.'];
}

/** The way of a record that the next run brings. */
function deliveries(facts: WhyFacts, verdict: WhyVerdict): string[] {
  const { obstacle, runner, schedule, becomes, heldBack, job, stream } = facts;
  if (obstacle !== null) return [stops(obstacle)];
  const does = becomes?.kind === 'record' ? 'writes it' : becomes?.kind === 'fault' ? 'makes it a dead letter' : 'deletes it in the target';
  if (verdict === 'held-back')
    return [
      `The run that follows ${does} as soon as that transaction ends, or after a minute all the same.`,
      `End the transaction (${heldBack?.by ?? ''}) if it is not meant to be open.`,
    ];
  if (runner !== null) return [`The run that is going on (${runner.host} pid ${runner.pid}) ${does}, or the next one.`];
  const when = schedule === 'by-hand' ? '' : ' `trueup start` begins it by itself.';
  return [`The next run ${does}: ${commandText('run', job, '--stream', stream)}.${when}`];
}

function afterFault({ becomes, obstacle }: WhyFacts): string[] {
  return becomes?.kind === 'fault' && obstacle === null ? [`Before that: ${lowerFirst(ERROR_CODES[becomes.code].remedy)}`] : [];
}

function deadLetter(facts: WhyFacts): string[] {
  const { letter, job, stream, becomes } = facts;
  const key = letterKeyText(facts);
  const replay = commandText('dead-letters', 'replay', job, '--stream', stream, ...keyWords(key));
  if (letter?.kind === 'order')
    return [
      'Every run tries it again after its parents. See that the parent is in the target: sync its stream in the same job, or correct the reference.',
      `At once: ${replay}.`,
    ];
  if (becomes === null) return [`${replay} tries the delete again.`];
  const remedyText = letter === null ? '' : `${ERROR_CODES[letter.code].remedy} `;
  return [`Nothing, before the record changes in the source. ${remedyText}Then ${replay} writes it at once.`];
}

/** Letters stand under the key of the record, whatever of it is asked for. */
function letterKeyText({ part, key }: WhyFacts): string {
  return part?.record ?? key;
}

function deleted(facts: WhyFacts): string[] {
  const { deletes, becomes, part } = facts;
  if (isKept(facts)) return ["Nothing: 'onDelete: ignore' keeps it in the target."];
  if (becomes !== null) return [`No run deletes it before it changes in the source. ${repair(facts)}`];
  if (part?.isThere === true && !deletes.bySnapshot && deletes.compare === null)
    return [`No run deletes it before record ${part.record ?? ''} changes in the source. ${repair(facts)}`];
  if (deletes.bySnapshot) return [nextCompares(facts, 'deletes it')];
  if (deletes.compare !== null) return byCompare(facts, deletes.compare);
  if (deletes.delivered) return [`Its delete is not among the changes that are still to come. ${repair(facts)}`];
  const soft = deletes.when === null ? '' : ` (only '${deletes.when}' counts as deleted, and this row is gone altogether)`;
  return [
    `No run deletes it: this change method never delivers deletes${soft}. ${repair(facts)}`,
    `For good: 'deletes: { compare: … }' on the stream.`,
  ];
}

/** Deletes that are found by comparing the keys of both sides. */
function byCompare(facts: WhyFacts, { nextAt, lastAt, scope }: NonNullable<WhyFacts['deletes']['compare']>): string[] {
  const { job, stream } = facts;
  const last = lastAt === null ? '' : ` (last at ${lastAt})`;
  const within = scope === null ? '' : `, if it lies within the scope '${scope}'`;
  const then = `Then it is deleted${within}, unless more than the allowed share would be.`;
  if (nextAt !== null) return [`The keys of both sides are compared by the first run from ${nextAt} on${last}. ${then}`, repair(facts)];
  return [`The next run compares the keys of both sides${last}: ${commandText('run', job, '--stream', stream)}. ${then}`];
}

/** What a run does that compares everything. */
function nextCompares({ job, stream, obstacle }: WhyFacts, does: string): string {
  if (obstacle !== null) return stops(obstacle);
  return `The next run compares both sides and ${does}: ${commandText('run', job, '--stream', stream)}.`;
}

function stops(obstacle: NonNullable<WhyFacts['obstacle']>): string {
  return `The next run stops before it: [${obstacle.code}] ${sentence(obstacle.message)} ${remedy(obstacle)}`;
}

function differing(facts: WhyFacts, verdict: 'missing' | 'different'): string[] {
  const { becomes, guardedBy, inTarget, job, stream } = facts;
  if (becomes?.kind === 'fault') return [`The next delivery makes it a dead letter. ${ERROR_CODES[becomes.code].remedy}`];
  if (inTarget === 'none') return [`Restore the target, or load it again: ${commandText('run', job, '--stream', stream, '--full')}.`];
  if (guardedBy !== null)
    return [
      `Nothing: the target's '${guardedBy}' is newer than the source's, and 'guard: ${guardedBy}' refuses what is older.`,
      'Correct that field on the side that is wrong.',
    ];
  if (facts.isPlanChanged) return [reload(facts)];
  if (facts.deletes.bySnapshot) return [nextCompares(facts, verdict === 'missing' ? 'writes it' : 'corrects it')];
  const does = verdict === 'missing' ? 'writes it' : 'corrects it';
  return [`No run ${does} before it changes in the source. ${repair(facts)}`];
}

function reload({ job, stream }: WhyFacts): string {
  return `${commandText('run', job, '--stream', stream, '--on-change', 'rebackfill')} reads the stream again and writes what differs.`;
}

function repair({ job, stream }: WhyFacts): string {
  return `${commandText('verify', job, '--stream', stream, '--repair')} does so now, with whatever else differs.`;
}

function duplicates({ records }: WhyFacts): string[] {
  return records < 2 ? [] : ["Name columns that are unique: 'key: [...]' on the stream."];
}

/** What is not committed is not in any answer. */
function hidden({ heldBack, undelivered }: WhyFacts, verdict: WhyVerdict): string[] {
  if (heldBack === null || undelivered === true || verdict === 'held-back') return [];
  return [
    `If you miss a newer change: a transaction has been open since ${heldBack.since} (${heldBack.by}), and what it wrote can be seen and delivered only after its commit.`,
  ];
}

function remedy({ code, hint }: NonNullable<WhyFacts['obstacle']>): string {
  return hint ?? ERROR_CODES[code].remedy;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
