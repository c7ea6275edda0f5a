import type { Problem } from '../../src/sdk.ts';
import type { Relation } from './relation.ts';
import type { Session } from './session/session.ts';

/** Rows that a policy hides from the role are not there for it: without a word of the server, and for whoever compares as well. */
export async function rowSecurityProblems(session: Session, stream: string, { oid, kind }: Relation): Promise<Problem[]> {
  if (oid === null || (kind !== 'table' && kind !== 'partitioned')) return [];
  const [row] = await session.query(`select pg_catalog.row_security_active($1::pg_catalog.oid)::text`, [oid]);
  if (row?.[0] !== 'true') return [];
  return [
    {
      severity: 'warning',
      code: 'E_CHANGES_LIMITED',
      message: `Policies of row level security decide which rows of '${stream}' this role sees. A row that they hide is not read, verify does not miss it, and to whoever compares (\`deletes: { compare }\`, \`changes: { by: snapshot }\`) it counts as deleted. If every row is meant, give the role BYPASSRLS.`,
    },
  ];
}
