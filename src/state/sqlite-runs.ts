import type { RunRecord, RunStore } from '../model/checkpoint.ts';
import type { Json } from '../model/json.ts';
import type { SqlRow, SqliteFile } from './sqlite-file.ts';

export function sqliteRuns(file: SqliteFile): RunStore {
  return {
    save: async ({ run, job, command, startedAt, endedAt, status, exitCode, report }, signal) => {
      await file.write(signal, (sql) =>
        sql.run(
          `insert into runs (run, job, command, started_at, ended_at, status, exit_code, report) values (?, ?, ?, ?, ?, ?, ?, ?)
           on conflict (job, run) do update set command = excluded.command, started_at = excluded.started_at, ended_at = excluded.ended_at, status = excluded.status,
             exit_code = excluded.exit_code, report = excluded.report`,
          run,
          job,
          command,
          startedAt,
          endedAt ?? null,
          status,
          exitCode ?? null,
          report === undefined ? null : JSON.stringify(report),
        ),
      );
    },
    list: ({ job, commands, limit }, signal) =>
      file.read(signal, (sql) =>
        sql
          .all(
            `select * from runs where job = coalesce(?1, job) and (?2 is null or command in (select value from json_each(?2)))
              order by started_at desc, run desc limit ?3`,
            job ?? null,
            commands === undefined ? null : JSON.stringify(commands),
            limit ?? -1,
          )
          .map(toRun),
      ),
    prune: async (keep, signal) => {
      await file.write(signal, (sql) =>
        sql.run(
          `delete from runs where (job, run) in
             (select job, run from (select job, run, row_number() over (partition by job order by started_at desc, run desc) as place from runs) where place > ?)`,
          keep,
        ),
      );
    },
  };
}

function toRun(row: SqlRow): RunRecord {
  const { ended_at: endedAt, exit_code: exitCode, report } = row;
  return {
    run: String(row['run']),
    job: String(row['job']),
    command: String(row['command']),
    startedAt: String(row['started_at']),
    status: row['status'] as RunRecord['status'],
    ...(typeof endedAt === 'string' ? { endedAt } : {}),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    ...(typeof report === 'string' ? { report: JSON.parse(report) as Json } : {}),
  };
}
