import type { BreakerRecord, BreakerStore } from '../model/checkpoint.ts';
import type { SqliteFile } from './sqlite-file.ts';

export function sqliteBreakers(file: SqliteFile): BreakerStore {
  return {
    save: async ({ connection, state, since, failures, lastCode }, signal) => {
      await file.write(signal, (sql) =>
        sql.run(
          `insert into breakers (connection, state, since, failures, last_code) values (?, ?, ?, ?, ?)
           on conflict (connection) do update set state = excluded.state, since = excluded.since, failures = excluded.failures, last_code = excluded.last_code`,
          connection,
          state,
          since,
          failures,
          lastCode ?? null,
        ),
      );
    },
    list: (signal) =>
      file.read(signal, (sql) =>
        sql.all('select * from breakers order by connection').map((row) => ({
          connection: String(row['connection']),
          state: row['state'] as BreakerRecord['state'],
          since: String(row['since']),
          failures: Number(row['failures']),
          ...(typeof row['last_code'] === 'string' ? { lastCode: row['last_code'] } : {}),
        })),
      ),
  };
}
