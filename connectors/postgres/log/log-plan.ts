import type { Problem, StreamRef } from '../../../src/sdk.ts';
import { quoteIdentifier, quoteRelation } from '../quote.ts';
import type { RelationName } from '../quote.ts';
import type { Reading } from '../read/reading.ts';
import type { Server, Session } from '../session/session.ts';
import { readLogFacts, readLoggedTables, readPublication } from './log-facts.ts';
import type { LogFacts, LoggedTable, Publication } from './log-facts.ts';
import { isLogged, logNames } from './names.ts';
import type { LogNames } from './names.ts';
import { readSlot } from './slot.ts';

/** What the plan of a stream says of its log. */
export interface LogPlan {
  readonly problems: readonly Problem[];
  readonly statements: readonly string[];
  /** Old rows hold what others look records up by. */
  readonly remembers: boolean;
}

/** A stream of the log that can be read so far. */
export interface LogSubject {
  readonly ref: StreamRef;
  readonly reading: Reading;
}

interface Known {
  readonly facts: LogFacts;
  readonly names: LogNames;
  readonly publication: Publication | null;
  readonly tables: readonly LoggedTable[];
}

/** What is missing or wrong for streams that are read from the log, by stream. The slot is made by the run that begins, since it holds the log back from then on. */
export async function planLog(session: Session, server: Server, subjects: readonly LogSubject[]): Promise<Map<string, LogPlan>> {
  const logged = subjects.filter(({ ref }) => isLogged(ref));
  if (logged.length === 0) return new Map();
  const facts = await readLogFacts(session);
  const names = logNames(server, logged[0]?.ref);
  const oids = logged.flatMap(({ reading }) => (reading.relation.oid === null ? [] : [reading.relation.oid]));
  const known: Known = {
    facts,
    names,
    publication: await readPublication(session, names.publication),
    tables: await readLoggedTables(session, oids),
  };
  const ofServer = [
    ...serverProblems(facts, (await readSlot(session, names.slot)) !== null),
    ...(server.options.log.failover ? failoverProblems(facts.version) : []),
  ];
  const plans = logged.map(({ ref, reading }, index): readonly [string, LogPlan] => {
    const unfit = kindProblems(reading);
    const own = unfit.length > 0 ? { problems: unfit, statements: [], remembers: false } : tablePlan(known, reading);
    return [ref.name, { ...own, problems: [...(index === 0 ? ofServer : []), ...own.problems] }];
  });
  return new Map(withPublication(known, logged, plans));
}

function refused(message: string, statements: readonly string[] = []): Problem {
  return { severity: 'error', code: 'E_CHANGES_UNSUPPORTED', message, ...(statements.length > 0 ? { statements } : {}) };
}

function denied(message: string, statements: readonly string[]): Problem {
  return { severity: 'error', code: 'E_ACCESS', message, statements };
}

function serverProblems(facts: LogFacts, hasSlot: boolean): Problem[] {
  const problems: Problem[] = [];
  if (facts.standby) problems.push(refused('The server is a standby: `changes: { by: log }` reads from the primary.'));
  if (facts.walLevel !== 'logical')
    problems.push(
      refused(
        `The server keeps its log with wal_level '${facts.walLevel}', and changes can be read from it with 'logical' only. The setting needs a restart of the server.`,
        [`alter system set wal_level = 'logical'`],
      ),
    );
  if (!facts.mayReplicate)
    problems.push(
      denied(`Role '${facts.role}' may not read the log: it lacks REPLICATION.`, [`alter role ${quoteIdentifier(facts.role)} replication`]),
    );
  if (!hasSlot && facts.usedSlots >= facts.maxSlots)
    problems.push(
      refused(
        `All ${facts.maxSlots} replication slots of the server are taken (max_replication_slots). Drop one that nobody reads, or allow more, which needs a restart.`,
        [`alter system set max_replication_slots = ${facts.maxSlots + 10}`],
      ),
    );
  return problems;
}

const FAILOVER_VERSION = 170_000;

/** @param version of the server, as 170004 */
export function failoverProblems(version: number): Problem[] {
  if (version >= FAILOVER_VERSION) return [];
  return [refused(`\`log.failover\` needs PostgreSQL 17 or later, and the server is ${Math.floor(version / 10_000)}.`)];
}

function kindProblems({ ref, relation }: Reading): Problem[] {
  if (relation.kind === 'table' || relation.kind === 'partitioned') return [];
  return [
    refused(
      `Stream '${ref.name}': only tables are in the log, and it is a ${relation.kind === 'matview' ? 'materialized view' : relation.kind}.`,
    ),
  ];
}

function tablePlan({ publication, names, facts, tables }: Known, reading: Reading): LogPlan {
  const { ref, relation } = reading;
  const own = tables.filter((table) => table.of === relation.oid);
  const published = publication?.tables.get(JSON.stringify([relation.name?.schema, relation.name?.name]));
  const problems = [...own.flatMap((table) => identityProblems(ref, table)), ...partitionProblems(reading)];
  const generated = publication === null && facts.version >= 180_000 ? [] : (own[0]?.generated ?? []);
  const listed = published?.columns ?? null;
  const lacking = reading.shape.fields
    .map((field) => field.name)
    .filter((name) => (listed === null ? generated.includes(name) : !listed.includes(name)));
  if (lacking.length > 0)
    problems.push({
      severity: 'warning',
      code: 'E_CHANGES_SLOW',
      message: `The log does not hold ${lacking.join(', ')} of '${ref.name}'${listed === null ? ', which is computed' : `, which publication '${names.publication}' leaves out`}: every changed row is looked up.`,
    });
  if (published?.filter)
    problems.push(
      refused(
        `Publication '${names.publication}' leaves out rows of '${ref.name}' by a filter. Filter with \`where\` on the stream instead.`,
      ),
    );
  const joined = (ref.lookups ?? []).flat();
  const remembers = joined.length > 0 && own.every(({ identityColumns }) => joined.every((name) => identityColumns.includes(name)));
  return { problems, statements: [], remembers };
}

function identityProblems(ref: StreamRef, table: LoggedTable): Problem[] {
  if (table.unlogged)
    return [refused(`Table ${table.name} is UNLOGGED, so its changes are in no log.`, [`alter table ${table.name} set logged`])];
  const hidden = ref.key.filter((name) => !table.identityColumns.includes(name));
  if (hidden.length === 0) return [];
  const has = table.identityColumns.length === 0 ? 'nothing' : table.identityColumns.join(', ');
  return [
    refused(
      `The log of ${table.name} names rows that are updated or deleted by ${has}, and stream '${ref.name}' needs ${ref.key.join(', ')}. Set its replica identity to a unique index that holds the key, or to the whole row.`,
      [`alter table ${table.name} replica identity full`],
    ),
  ];
}

function partitionProblems({ ref, relation }: Reading): Problem[] {
  if (relation.kind !== 'partitioned') return [];
  return [
    {
      severity: 'warning',
      code: 'E_CHANGES_LIMITED',
      message: `'${ref.name}' is partitioned: rows that come or go with a partition (ATTACH, DETACH, DROP or TRUNCATE of one) are not in the log. Delete such rows first, or compare now and then with \`deletes: { compare: … }\`.`,
    },
  ];
}

/** Adds to each stream what makes it part of the publication. */
function withPublication(
  known: Known,
  logged: readonly LogSubject[],
  plans: readonly (readonly [string, LogPlan])[],
): (readonly [string, LogPlan])[] {
  const { publication, names, facts, tables } = known;
  const name = quoteIdentifier(names.publication);
  const outside = logged.filter(({ reading }) => reading.relation.name !== null && !isPublished(publication, reading.relation.name));
  const owned = (some: readonly LogSubject[]) =>
    facts.isSuperuser || some.every(({ reading }) => tables.find((table) => table.of === reading.relation.oid)?.owned !== false);
  const more: Problem[] = [];
  if (publication !== null && publication.leavesOut.length > 0)
    more.push(
      refused(`Publication '${names.publication}' leaves out ${publication.leavesOut.join(', ')}.`, [
        `alter publication ${name} set (publish = 'insert, update, delete, truncate')`,
      ]),
    );
  if (publication !== null && !publication.viaRoot && logged.some(({ reading }) => reading.relation.kind === 'partitioned'))
    more.push(
      refused(`Publication '${names.publication}' tells changes of partitions under their own names.`, [
        `alter publication ${name} set (publish_via_partition_root = true)`,
      ]),
    );
  const statements = new Map<string, string>();
  const list = (some: readonly LogSubject[]) => some.map(({ reading }) => quoteRelation(reading.relation.name as RelationName)).join(', ');
  if (publication === null && outside.length > 0) {
    const options = ['publish_via_partition_root = true', ...(facts.version >= 180_000 ? ['publish_generated_columns = stored'] : [])];
    const create = `create publication ${name} for table ${list(outside)} with (${options.join(', ')})`;
    if (facts.isSuperuser || (facts.mayCreate && owned(outside))) statements.set(outside[0]?.ref.name ?? '', create);
    else
      more.push(
        denied(
          `Role '${facts.role}' may not make publication '${names.publication}': that takes CREATE on the database and ownership of the tables. Let an administrator make it:`,
          [create],
        ),
      );
  } else
    for (const subject of outside) {
      const add = `alter publication ${name} add table ${list([subject])}`;
      if (facts.isSuperuser || (publication?.owned === true && owned([subject]))) statements.set(subject.ref.name, add);
      else
        more.push(
          denied(`Role '${facts.role}' may not add '${subject.ref.name}' to publication '${names.publication}'. Let its owner do it:`, [
            add,
          ]),
        );
    }
  return plans.map(([stream, plan], index) => {
    const statement = statements.get(stream);
    return [
      stream,
      {
        remembers: plan.remembers,
        problems: [...plan.problems, ...(index === 0 ? more : [])],
        statements: [...plan.statements, ...(statement === undefined ? [] : [statement])],
      },
    ];
  });
}

function isPublished(publication: Publication | null, { schema, name }: RelationName): boolean {
  return publication !== null && (publication.allTables || publication.tables.has(JSON.stringify([schema, name])));
}
