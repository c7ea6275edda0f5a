import type { BreakerStore, ConnectorContext, RunRecord, RunStore, StateStore } from '../../../src/sdk.ts';
import { openCheckpoints, prepareStore } from './checkpoints.ts';
import type { StoreInit } from './checkpoints.ts';
import type { PostgresOptions } from '../options.ts';
import { resolveServer } from '../session/session.ts';
import { sessionSlot } from '../session/slot.ts';
import type { SessionSlot } from '../session/slot.ts';
import { readBreakers, readRuns } from './read.ts';
import { storable } from './change.ts';
import { storeTables } from './schema.ts';
import type { StoreTables } from './schema.ts';

/** A state store that several machines share: the tables of a checkpoint store, and the history of runs. */
export function openPostgresState(options: PostgresOptions, context: ConnectorContext): StateStore {
  return openState({ server: resolveServer(options, context), schema: STATE_SCHEMA });
}

/** The schema of a database that serves as the state store; another than a target's, so that both may be the same database. */
const STATE_SCHEMA = 'trueup_state';

export function openState(init: Omit<StoreInit, 'atomic'>): StateStore {
  const checkpoints = openCheckpoints({ ...init, atomic: false });
  const slot = sessionSlot(init.server);
  return {
    ...checkpoints,
    runs: runStore(slot, init.schema),
    breakers: breakerStore(slot, init.schema),
    close: async () => {
      await Promise.all([checkpoints.close(), slot.close()]);
    },
  };
}

function runStore(slot: SessionSlot, schema: string): RunStore {
  const tables = storeTables(schema);
  let prepared = false;
  return {
    save: (record, signal) =>
      slot.use(signal, async (session) => {
        if (!prepared) await prepareStore(session, schema);
        prepared = true;
        await session.execute(saveText(tables), saveValues(record));
      }),
    list: (filter, signal) => slot.use(signal, (session) => readRuns(session, tables, filter)),
    prune: (keep, signal) =>
      slot.use(signal, async (session) => {
        if (!prepared) await prepareStore(session, schema);
        prepared = true;
        await session.execute(
          `delete from ${tables.runs} r using (select job, run, row_number() over (partition by job order by started_at desc, run collate "C" desc) as place from ${tables.runs}) ranked
           where r.job = ranked.job and r.run = ranked.run and ranked.place > $1::int8`,
          [String(keep)],
        );
      }),
  };
}

function breakerStore(slot: SessionSlot, schema: string): BreakerStore {
  const tables = storeTables(schema);
  let prepared = false;
  return {
    save: ({ connection, state, since, failures, lastCode }, signal) =>
      slot.use(signal, async (session) => {
        if (!prepared) await prepareStore(session, schema);
        prepared = true;
        await session.execute(
          `insert into ${tables.breakers} (connection, state, since, failures, last_code) values ($1, $2, $3::timestamptz, $4::int4, $5)
           on conflict (connection) do update set state = excluded.state, since = excluded.since, failures = excluded.failures, last_code = excluded.last_code`,
          [storable(connection), state, since, String(failures), lastCode ?? null],
        );
      }),
    list: (signal) => slot.use(signal, (session) => readBreakers(session, tables)),
  };
}

function saveText(tables: StoreTables): string {
  return `insert into ${tables.runs} (run, job, command, started_at, ended_at, status, exit_code, report)
    values ($1, $2, $3, $4::timestamptz, $5::timestamptz, $6, $7::int4, $8::json)
    on conflict (job, run) do update set command = excluded.command, started_at = excluded.started_at, ended_at = excluded.ended_at,
      status = excluded.status, exit_code = excluded.exit_code, report = excluded.report`;
}

function saveValues(record: RunRecord): (string | null)[] {
  const { run, job, command, startedAt, endedAt = null, status, exitCode, report } = record;
  return [
    storable(run),
    storable(job),
    storable(command),
    startedAt,
    endedAt,
    status,
    exitCode === undefined ? null : String(exitCode),
    report === undefined ? null : JSON.stringify(report),
  ];
}
