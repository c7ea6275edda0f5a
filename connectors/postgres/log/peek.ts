import { TrueupError, cellToText } from '../../../src/sdk.ts';
import type { Cell, StreamRef } from '../../../src/sdk.ts';
import { copyOut } from '../copy/out.ts';
import { quoteText } from '../quote.ts';
import { withReading } from '../session/session.ts';
import type { Server, Session } from '../session/session.ts';
import { addChange } from './changes.ts';
import type { parseLogCursor } from './cursor.ts';
import { openLogCatalog } from './log-catalog.ts';
import type { LogCatalog } from './log-catalog.ts';
import { keyCells } from './log-table.ts';
import type { LogTable } from './log-table.ts';
import type { LogNames } from './names.ts';
import type { ChangeSink } from './pending.ts';
import { BEGIN, DELETE, INSERT, RELATION, TRUNCATE, UPDATE, readBegin, readInt32, readRelation, readTruncate } from './pgoutput.ts';
import { parseLsn } from './lsn.ts';
import { readSlot } from './slot.ts';

export interface Peek {
  readonly server: Server;
  readonly names: LogNames;
  readonly stream: StreamRef;
  readonly after: ReturnType<typeof parseLogCursor>;
  /** Carriers in key order. */
  readonly keys: readonly (readonly Cell[])[];
}

/**
 * Which of these records the log still holds a change of, looked at without moving on in it. While another process reads from the slot nobody else can look:
 * then every record counts that a change may have come to since.
 *
 * @throws {TrueupError} `E_POSITION_LOST` when the slot is gone
 */
export async function undeliveredInLog(peek: Peek, signal: AbortSignal): Promise<boolean[]> {
  const { server, names, keys, after, stream } = peek;
  const { slot, end } = await withReading(server, signal, async (session) => {
    const [row] = await session.query('select pg_catalog.pg_current_wal_insert_lsn()::text');
    return { end: parseLsn(row?.[0] ?? '') ?? 0n, slot: await readSlot(session, names.slot) };
  });
  if (slot === null || slot.lostBecause !== null || (slot.confirmed ?? 0n) > after.at)
    throw new TrueupError('E_POSITION_LOST', `Slot '${names.slot}' no longer holds what comes after the checkpoint.`);
  if (end <= after.at) return keys.map(() => false);
  if (slot.activePid !== null) return keys.map(() => true);
  const catalog = await openLogCatalog(server, [stream], new Map(), signal);
  const changed = await withReading(server, signal, (session) => changedKeys(session, peek, catalog, signal));
  const types = catalog.any().key.map((_, index) => keyType(catalog, index));
  return keys.map(
    (key) => changed === null || changed.has(JSON.stringify(key.map((cell, index) => cellToText(types[index] ?? 'text', cell)))),
  );
}

/** `null`: all, since the table was truncated. */
async function changedKeys(
  session: Session,
  { names, after }: Peek,
  catalog: LogCatalog,
  signal: AbortSignal,
): Promise<Set<string> | null> {
  const found = new Set<string>();
  let table: LogTable | null | undefined = null;
  const sink: ChangeSink = {
    add: (_reading, _op, row) => void (table && found.add(keyText(table, row as (string | null)[]))),
    reject: () => {},
  };
  let skipped = false;
  const options = `'proto_version', '1', 'publication_names', ${quoteText(`"${names.publication.replaceAll('"', '""')}"`)}`;
  const select = `select pg_catalog.encode(c.data, 'hex') from pg_catalog.pg_logical_slot_peek_binary_changes(${quoteText(names.slot)}, null, null, ${options}) c`;
  for await (const line of lines(copyOut(session, select))) {
    const bytes = Buffer.from(line, 'hex');
    const reader = { bytes, at: 1 };
    const what = bytes[0];
    if (what === BEGIN) skipped = readBegin(reader).commitLsn < after.at;
    else if (what === RELATION) await catalog.describe(readRelation(reader), signal);
    else if (skipped) continue;
    else if (what === TRUNCATE && readTruncate(reader).some((oid) => catalog.table(oid))) return null;
    else if (what === INSERT || what === UPDATE || what === DELETE) {
      table = catalog.table(readInt32(reader));
      if (table) addChange(sink, table, { kind: what, reader, bytes: 0 });
    }
  }
  return found;
}

function keyText(table: LogTable, row: (string | null)[]): string {
  const { shape } = table.reading;
  return JSON.stringify(keyCells(table, row).map((cell, index) => cellToText(shape.fields[shape.key[index] ?? -1]?.type ?? 'text', cell)));
}

function keyType(catalog: LogCatalog, index: number) {
  const { shape } = catalog.any();
  return shape.fields[shape.key[index] ?? -1]?.type;
}

async function* lines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    const parts = (rest + chunk.toString('latin1')).split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
}
