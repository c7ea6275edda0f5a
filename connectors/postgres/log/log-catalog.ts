import type { StreamRef } from '../../../src/sdk.ts';
import { parseStreamName } from '../quote.ts';
import { resolveReading } from '../read/reading.ts';
import type { Reading, WireForm } from '../read/reading.ts';
import { withReading } from '../session/session.ts';
import type { Server } from '../session/session.ts';
import { readRelation } from '../read/stream-reader.ts';
import { logTable, sameColumns } from './log-table.ts';
import type { LogTable } from './log-table.ts';
import type { RelationMessage } from './pgoutput.ts';

/** What the tables of a feed look like, in the log and in the catalog. */
export interface LogCatalog {
  /** `null`: no table of the feed. `undefined`: the log has not described it yet. */
  table(oid: number): LogTable | null | undefined;
  /** Takes in how the log describes a table from here on. `true`: its records are others than before, in their fields or in how they travel. */
  describe(message: RelationMessage, signal: AbortSignal): Promise<boolean>;
  /** A stream as the catalog knows it. */
  reading(name: string): Reading | undefined;
  /** The first stream's. */
  any(): Reading;
}

/** @param forms in which the rows of streams are handed on; absent: as cells */
export async function openLogCatalog(
  server: Server,
  refs: readonly StreamRef[],
  forms: ReadonlyMap<string, WireForm>,
  signal: AbortSignal,
): Promise<LogCatalog> {
  const readings = new Map<string, Reading>();
  const described = new Map<number, { readonly message: RelationMessage; readonly table: LogTable | null }>();
  /** By stream: whether its records travelled as bytes so far. */
  const asBytes = new Map<string, boolean>();
  const byTable = new Map(refs.map((ref) => [tableKey(parseStreamName(ref.name, server.options.schema)), ref]));

  const look = async (some: readonly StreamRef[], within: AbortSignal): Promise<void> => {
    await withReading(server, within, async (session) => {
      for (const ref of some) {
        const relation = await readRelation(session, server, ref);
        readings.set(ref.name, resolveReading(ref, relation, readings.get(ref.name)?.shape ?? null));
      }
    });
  };
  await look(refs, signal);

  return {
    table: (oid) => described.get(oid)?.table,
    async describe(message, within) {
      const before = described.get(message.oid);
      if (before !== undefined && sameColumns(before.message, message)) return false;
      const ref = byTable.get(tableKey(message));
      if (ref === undefined) {
        described.set(message.oid, { message, table: null });
        return false;
      }
      const shape = readings.get(ref.name)?.shape;
      // What was read when the feed was opened may be older than what the log says now.
      if (before !== undefined || !fits(message, readings.get(ref.name) as Reading)) await look([ref], within);
      const reading = readings.get(ref.name) as Reading;
      const table = logTable(message, reading, forms.get(ref.name) ?? null);
      described.set(message.oid, { message, table });
      const travels = table.wire !== null;
      const travelled = asBytes.get(ref.name) ?? travels;
      asBytes.set(ref.name, travels);
      return reading.shape !== shape || travels !== travelled;
    },
    reading: (name) => readings.get(name),
    any: () => readings.values().next().value as Reading,
  };
}

/** Whether the catalog knows the same columns. */
function fits(message: RelationMessage, { relation }: Reading): boolean {
  const types = new Map(relation.columns.map((column) => [column.name, column.type]));
  return types.size === message.columns.length && message.columns.every((column) => types.get(column.name) === column.type);
}

function tableKey(name: { readonly schema: string; readonly name: string } | null): string {
  return JSON.stringify([name?.schema, name?.name]);
}
