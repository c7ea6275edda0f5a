import type { Problem } from '../../../src/sdk.ts';
import { quoteIdentifier, quoteRelation } from '../quote.ts';
import type { Reading } from './reading.ts';

/** Columns that rows are often looked up by, and that no index begins with: every such look reads the table. */
export function lookupProblems({ ref, relation }: Reading): Problem[] {
  if (relation.name === null || !['table', 'partitioned', 'matview'].includes(relation.kind)) return [];
  const table = quoteRelation(relation.name);
  const concurrently = relation.kind === 'partitioned' ? '' : ' concurrently';
  return (ref.lookups ?? [])
    .filter((fields) => !relation.indexes.some(({ columns }) => fields.includes(columns[0] ?? '')))
    .map((fields) => ({
      severity: 'warning',
      code: 'E_CHANGES_SLOW',
      message: `'${ref.name}': rows are looked up by (${fields.join(', ')}), and no index begins with that, so every look scans the table.`,
      statements: [`create index${concurrently} on ${table} (${fields.map(quoteIdentifier).join(', ')})`],
    }));
}
