import type { Problem } from '../../src/sdk.ts';
import { floorRuleOf } from './guarantee.ts';
import type { PlanSubject } from './guarantee.ts';
import { quoteIdentifier, quoteRelation } from './quote.ts';
import { columnSql } from './read/reading.ts';
import type { Reading } from './read/reading.ts';
import type { Session } from './session/session.ts';
import { isTrueupError } from '../../src/sdk.ts';

/** How many NULL or infinite stamps are counted before "at least" is good enough. */
const COUNT_UP_TO = 10_000;

/** What is wrong or dear about the way changes are found. Looks at the data only where an index answers at once, or no index is missing. */
export async function cursorProblems(session: Session, subject: PlanSubject): Promise<Problem[]> {
  const { reading } = subject;
  const { ref, order, relation } = reading;
  switch (ref.changes.by) {
    case 'xmin':
      return relation.hasXmin
        ? []
        : [
            unsupported(
              reading,
              `'xmin' needs a table or materialized view of this server; '${ref.name}' is a ${relation.kind}. Name a column that every change raises: \`changes: { by: cursor, field: … }\``,
            ),
          ];
    case 'cursor':
    case 'sequence':
      if (order === null)
        return [unsupported(reading, `'${ref.changes.by}' needs a column: \`changes: { by: ${ref.changes.by}, field: … }\``)];
      return [
        ...sequenceProblems(subject),
        ...floorProblems(subject),
        ...(await orderProblems(session, reading)),
        ...indexProblems(reading),
      ];
    case 'snapshot':
    case 'log': // see log/log-plan.ts
      return [];
    default:
      return [
        unsupported(
          reading,
          `'${ref.changes.by}' is not offered. Methods: cursor, sequence${relation.hasXmin ? ', xmin, log' : ''}, snapshot`,
        ),
      ];
  }
}

function unsupported({ ref }: Reading, message: string): Problem {
  return { severity: 'error', code: 'E_CHANGES_UNSUPPORTED', message: `Stream '${ref.name}': ${message}.` };
}

/** Found, but at the price of reading more than what changed. */
function slow(message: string, statements: readonly string[] = []): Problem {
  return { severity: 'warning', code: 'E_CHANGES_SLOW', message, ...(statements.length > 0 ? { statements } : {}) };
}

/** Delivered late, or not at all. */
function limited(message: string): Problem {
  return { severity: 'warning', code: 'E_CHANGES_LIMITED', message };
}

function sequenceProblems({ reading, sequence }: PlanSubject): Problem[] {
  const { ref, order, orderKind } = reading;
  if (order === null || orderKind !== 'counter' || sequence === null || sequence.cache === 1) return [];
  return [
    slow(
      `The sequence ${sequence.name} of ${ref.name}.${order.name} hands out ${sequence.cache} values to a session at a time (CACHE), so a lower one can be committed at any later time: every run looks at the whole stream.`,
      [`alter sequence ${sequence.name.split('.').map(quoteIdentifier).join('.')} cache 1`],
    ),
  ];
}

function floorProblems(subject: PlanSubject): Problem[] {
  const { reading, standby } = subject;
  const { ref, relation, order } = reading;
  const rule = floorRuleOf(subject);
  if (rule === 'fence' || order === null) return [];
  const where = standby
    ? 'the server is a standby, which does not see the transactions that are open on its primary'
    : `'${ref.name}' is a ${relation.kind === 'matview' ? 'materialized view' : relation.kind === 'foreign' ? 'foreign table' : relation.kind}`;
  if (rule === 'lookback')
    return [
      limited(`No fence is possible: ${where}. A row that is committed more than ${ref.lookbackMs} ms after its ${order.name} is lost.`),
    ];
  if (!standby && relation.kind !== 'foreign') return [];
  const advice = reading.orderKind === 'counter' ? '' : ' Declare a `lookback`, or read from the primary.';
  return [slow(`No fence is possible: ${where}. So every run looks at all of '${ref.name}'.${advice}`)];
}

/** Values that stand in no order, or ahead of time; also finds out whether the column can be ordered at all. */
async function orderProblems(session: Session, reading: Reading): Promise<Problem[]> {
  const { ref, order, orderKind, relation } = reading;
  if (order === null) return [];
  const c = columnSql(order);
  const from = `${relation.from} as t`;
  try {
    await session.query(`select from ${from} where false order by ${c}`);
  } catch (error) {
    if (!isTrueupError(error) || error.code !== 'E_PLAN_CHANGED') throw error;
    return [unsupported(reading, `values of '${order.name}' (${order.text}) have no order`)];
  }
  const count = async (condition: string) => {
    const [row] = await session.query(`select pg_catalog.count(*) from (select from ${from} where ${condition} limit ${COUNT_UP_TO}) x`);
    return Number(row?.[0] ?? 0);
  };
  const amount = (rows: number) => `${rows >= COUNT_UP_TO ? 'at least ' : ''}${rows} row${rows === 1 ? '' : 's'}`;
  const problems: Problem[] = [];
  const cheap =
    relation.kind === 'query' || relation.kind === 'view' || relation.kind === 'foreign' ? false : hasIndexOn(reading, order.name);
  if (!cheap) return problems;
  const nulls = order.notNull ? 0 : await count(`${c} is null`);
  if (nulls > 0)
    problems.push(
      slow(`${amount(nulls)} of '${ref.name}' have no ${order.name}. They are read, but found again only by a full look at all such rows.`),
    );
  if (orderKind === 'counter') return problems;
  // The time of the statement, not of the row, is one that an index is looked up with.
  const now = orderKind === 'instant' ? 'pg_catalog.statement_timestamp()' : `(pg_catalog.statement_timestamp() at time zone 'UTC')`;
  const infinite = await count(`${c} in ('infinity'::${order.cast}, '-infinity'::${order.cast})`);
  if (infinite > 0) problems.push(limited(`${amount(infinite)} of '${ref.name}' have an infinite ${order.name}.`));
  const ahead = await count(`${c} > ${now} + interval '14 hours' and ${c} < 'infinity'::${order.cast}`);
  if (ahead > 0)
    problems.push(
      limited(
        `${amount(ahead)} of '${ref.name}' have a ${order.name} in the future. A continuous run (--follow) delivers such rows when their time has come.`,
      ),
    );
  return problems;
}

function hasIndexOn({ relation }: Reading, name: string): boolean {
  return relation.indexes.some((index) => index.columns[0] === name);
}

function indexProblems(reading: Reading): Problem[] {
  const { ref, relation, order } = reading;
  if (order === null || relation.name === null || relation.kind === 'view' || relation.kind === 'foreign') return [];
  const wanted = [order.name, ...ref.key];
  const isKeyItself = ref.key[0] === order.name;
  const fits = relation.indexes.some(({ columns }) =>
    isKeyItself ? columns[0] === order.name : wanted.every((name, index) => columns[index] === name),
  );
  if (fits) return [];
  const create = `create index concurrently on ${quoteRelation(relation.name)} (${[...new Set(wanted)].map(quoteIdentifier).join(', ')})`;
  const have = hasIndexOn(reading, order.name)
    ? `The index on ${order.name} does not hold the key, so rows that share one ${order.name} are sorted at every run`
    : `There is no index on ${order.name}, so every run scans the table`;
  return [
    slow(
      `'${ref.name}': ${have}. Best is an index on (${wanted.join(', ')}).`,
      relation.kind === 'partitioned' ? [create.replace(' concurrently', '')] : [create],
    ),
  ];
}
