import type { GuaranteeParts } from '../../src/sdk.ts';
import { floorRule } from './changes/clock.ts';
import type { OrderFacts } from './changes/clock.ts';
import type { Reading } from './read/reading.ts';

/** A stream with what the server says of it. */
export interface PlanSubject<R extends OrderFacts = Reading> {
  readonly reading: R;
  readonly standby: boolean;
  readonly sequence: { readonly name: string; readonly cache: number } | null;
}

export function floorRuleOf({ reading, standby, sequence }: PlanSubject<OrderFacts>) {
  return floorRule(reading, { standby, cachedSequence: (sequence?.cache ?? 1) > 1 });
}

/**
 * The source's share of the guarantee. Late commits are delivered wherever a fence moves the floor or the floor stays where it is; a floor that
 * moves by a declared lookback loses what is later than that. Deleted rows leave no trace in a table.
 */
export function guaranteeOf(subject: PlanSubject<OrderFacts>): GuaranteeParts {
  const { reading } = subject;
  if (reading.ref.changes.by === 'log') return ofLog(reading);
  const rule = floorRuleOf(subject);
  return { lateCommits: rule === 'lookback' ? 'within-lookback' : 'delivered', deletes: 'never', assumes: assumptions(reading, rule) };
}

/** The log holds every transaction in the order of its commit. What changes without one, with a whole partition, is not in it. */
function ofLog({ ref, relation }: OrderFacts): GuaranteeParts {
  const assumes =
    relation.kind === 'partitioned' ? [`no partition of ${ref.name} is attached, detached, dropped or truncated with rows in it`] : [];
  return { lateCommits: 'delivered', deletes: 'delivered', assumes };
}

function assumptions(reading: OrderFacts, rule: ReturnType<typeof floorRule>): string[] {
  const { ref, order, orderKind, relation } = reading;
  if (order === null) return [];
  const column = `${ref.name}.${order.name}`;
  if (ref.changes.by === 'sequence') {
    return [
      `rows of ${ref.name} are inserted and never updated`,
      ...(rule === 'fence' ? [`${column} is drawn from a counter by the transaction that inserts the row`] : []),
    ];
  }
  const written =
    relation.kind === 'view' || relation.kind === 'query'
      ? `every change in the result of ${ref.name} raises ${column}`
      : `every write to ${ref.name} sets ${column}`;
  // Below a floor that moves nobody looks again, whatever the row version says.
  if (rule === 'lookback') return [written];
  if (rule === 'still') return relation.hasXmin ? [] : [written];
  const clock =
    orderKind === 'counter'
      ? `${column} is drawn from a counter by the transaction that writes the row`
      : `${column} is stamped by the clock of the database (now() or clock_timestamp()) in the transaction that writes the row${ref.lookbackMs === undefined ? '' : `, or at most ${ref.lookbackMs} ms earlier`}`;
  const local = relation.kind === 'view' || relation.kind === 'query' ? [`${ref.name} reads tables of this database only`] : [];
  return [written, clock, ...local];
}
