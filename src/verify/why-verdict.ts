import type { WhyFacts } from './why-facts.ts';
import type { WhyVerdict } from './why-report.ts';

/** What a record is, from the facts alone. */
export function whyVerdict(facts: WhyFacts): WhyVerdict {
  if (isSettled(facts)) return settled(facts);
  // A letter says that a run has tried and failed; whatever else is true, that comes first.
  if (facts.letter !== null) return 'dead-letter';
  if (isArriving(facts)) return isWaiting(facts) ? 'held-back' : 'pending';
  switch (facts.becomes?.kind) {
    case undefined:
    case 'deleted':
      return 'deleted';
    case 'filtered':
      return 'extra';
    case 'record':
    case 'fault':
      return facts.inTarget === 'present' ? 'different' : 'missing';
  }
}

/** 0: both sides agree, or are kept apart on purpose, or the next run makes them agree. 4: nothing mends it by itself. */
export function whyExitCode(facts: WhyFacts, verdict: WhyVerdict): 0 | 4 {
  switch (verdict) {
    case 'equal':
    case 'filtered':
    case 'not-in-source':
      return 0;
    case 'pending':
    case 'held-back':
      return facts.obstacle === null && facts.becomes?.kind !== 'fault' ? 0 : 4;
    case 'deleted':
      return isKept(facts) ? 0 : 4;
    case 'different':
    case 'missing':
    case 'dead-letter':
    case 'extra':
      return 4;
  }
}

/** Whether the job lets the target keep what the source has not, or no longer passes on. */
export function isKept({ becomes, part, onDelete, onExit }: WhyFacts): boolean {
  // An element that is gone is gone in any case, and so is one that its table leaves out.
  if (part?.isThere === true && (becomes === null || (becomes.kind === 'filtered' && becomes.isElement === true))) return false;
  return onDelete === 'ignore' || (becomes?.kind === 'filtered' && onExit === 'keep');
}

/** Nothing is left to be done about the record. */
function isSettled(facts: WhyFacts): boolean {
  const { becomes, inTarget, differing } = facts;
  if (becomes?.kind === 'fault') return false;
  if (becomes?.kind === 'record') return inTarget === 'present' && differing.length === 0;
  return inTarget !== 'present' || (becomes?.kind === 'filtered' && isKept(facts));
}

function settled({ becomes }: WhyFacts): WhyVerdict {
  if (becomes === null) return 'not-in-source';
  return becomes.kind === 'record' ? 'equal' : 'filtered';
}

/** The next run writes the record, or deletes it. A first load reads what there is: of what is gone it knows nothing. */
function isArriving(facts: WhyFacts): boolean {
  const isDelete = facts.becomes === null || facts.becomes.kind === 'deleted' || facts.becomes.kind === 'filtered';
  if (isDelete && isKept(facts)) return false;
  if (facts.undelivered === true) return true;
  if (facts.becomes === null && facts.part?.isThere !== true) return false;
  return facts.life === 'new' || facts.life === 'loading' || (facts.life === 'refilling' && !facts.partly);
}

/** Only a run that follows waits for open transactions; the others read past them and come back. */
function isWaiting({ undelivered, heldBack, runner, schedule }: WhyFacts): boolean {
  return undelivered === true && heldBack !== null && (runner !== null || schedule === 'continuous');
}
