import type { RelationName } from '../quote.ts';
import type { Session } from '../session/session.ts';

/** What the role may do in the target's database. */
export interface TargetFacts {
  readonly role: string;
  readonly database: string;
  readonly standby: boolean;
  readonly mayCreateSchema: boolean;
  readonly mayUseTemp: boolean;
  /** Schemas that exist, and whether the role may use them and create in them. */
  readonly schemas: ReadonlyMap<string, { readonly use: boolean; readonly create: boolean }>;
}

export async function readFacts(session: Session, relations: readonly RelationName[], storeSchema: string): Promise<TargetFacts> {
  const [row] = await session.query(
    `select current_user::text, current_database()::text, pg_is_in_recovery()::int, has_database_privilege(current_database(), 'CREATE')::int, has_database_privilege(current_database(), 'TEMP')::int`,
  );
  const names = JSON.stringify([...new Set([...relations.map(({ schema }) => schema), storeSchema])]);
  const schemas = await session.query(
    `select n.nspname::text, has_schema_privilege(n.oid, 'USAGE')::int, has_schema_privilege(n.oid, 'CREATE')::int
     from json_array_elements_text($1::json) s join pg_namespace n on n.nspname = s`,
    [names],
  );
  const [role, database, standby, mayCreateSchema, mayUseTemp] = row as readonly string[];
  return {
    role: role as string,
    database: database as string,
    standby: standby === '1',
    mayCreateSchema: mayCreateSchema === '1',
    mayUseTemp: mayUseTemp === '1',
    schemas: new Map(schemas.map(([name, use, create]) => [name as string, { use: use === '1', create: create === '1' }])),
  };
}
