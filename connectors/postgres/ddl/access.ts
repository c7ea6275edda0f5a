import type { Problem, TargetStream } from '../../../src/sdk.ts';
import type { TargetFacts } from './facts.ts';
import { quoteIdentifier, quoteRelation } from '../quote.ts';
import type { RelationName } from '../quote.ts';
import { schemaStatements } from '../store/schema.ts';
import type { TargetTable } from './target-table.ts';

/* What the role lacks, each with the statements that an administrator can run. */

function denied(message: string, statements: readonly string[]): Problem {
  return { severity: 'error', code: 'E_ACCESS', message, ...(statements.length > 0 ? { statements } : {}) };
}

/** What holds for the whole database. */
export function databaseProblems(facts: TargetFacts): Problem[] {
  const problems: Problem[] = [];
  if (facts.standby) problems.push(denied('The server is a standby and takes no writes: connect to the primary.', []));
  if (!facts.mayUseTemp && !facts.standby) {
    const grant = `grant temporary on database ${quoteIdentifier(facts.database)} to ${quoteIdentifier(facts.role)}`;
    problems.push(denied(`Role '${facts.role}' may not create temporary tables, through which every batch is written.`, [grant]));
  }
  return problems;
}

/** For a table that does not exist yet. */
export function createProblems(facts: TargetFacts, relation: RelationName): Problem[] {
  const schema = facts.schemas.get(relation.schema);
  const role = quoteIdentifier(facts.role);
  const name = quoteIdentifier(relation.schema);
  if (schema === undefined && !facts.mayCreateSchema) {
    return [
      denied(`The schema '${relation.schema}' does not exist and role '${facts.role}' may not create it.`, [
        `create schema ${name} authorization ${role}`,
      ]),
    ];
  }
  if (schema === undefined || (schema.use && schema.create)) return [];
  const lacking = [...(schema.use ? [] : ['usage']), ...(schema.create ? [] : ['create'])].join(', ');
  return [
    denied(`Role '${facts.role}' may not create tables in the schema '${relation.schema}'.`, [
      `grant ${lacking} on schema ${name} to ${role}`,
    ]),
  ];
}

/** For a table that is there. */
export function tableProblems(facts: TargetFacts, stream: TargetStream, table: TargetTable): Problem[] {
  const needed = ['SELECT', 'INSERT', 'UPDATE', ...(stream.onDelete === 'delete' ? ['DELETE'] : [])];
  const lacking = needed.filter((privilege) => !table.privileges.has(privilege));
  if (lacking.length === 0) return [];
  const grant = `grant ${lacking.join(', ').toLowerCase()} on ${quoteRelation(table.relation)} to ${quoteIdentifier(facts.role)}`;
  return [denied(`Role '${facts.role}' lacks ${lacking.join(', ')} on ${stream.target}.`, [grant])];
}

/** Only the owner can alter a table. */
export function ownerProblems(
  facts: TargetFacts,
  stream: TargetStream,
  { table, statements }: { readonly table: TargetTable; readonly statements: readonly string[] },
): Problem[] {
  if (table.owned || statements.length === 0) return [];
  return [
    denied(`${stream.target} must be changed, and role '${facts.role}' does not own it. Let its owner run the statements.`, statements),
  ];
}

/** What prevents that checkpoints are kept in this database. */
export function storeProblems(facts: TargetFacts, schema: string): Problem[] {
  const found = facts.schemas.get(schema);
  if (found === undefined ? facts.mayCreateSchema : found.use) return [];
  const role = quoteIdentifier(facts.role);
  const statements =
    found === undefined ? schemaStatements(schema, facts.role) : [`grant usage, create on schema ${quoteIdentifier(schema)} to ${role}`];
  const message = `Role '${facts.role}' may not ${found === undefined ? 'create' : 'use'} the schema '${schema}', where the checkpoints would be kept. Let an administrator run the statements, or keep them in the state store: \`checkpoints: state\` on the job.`;
  return [denied(message, statements)];
}
