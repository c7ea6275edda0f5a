import { TrueupError } from '../../../src/sdk.ts';
import type { Cell, DigestFields, RowDigests, StreamRef } from '../../../src/sdk.ts';
import { lineCollector, lineTexts } from '../copy/lines.ts';
import { copyOut } from '../copy/out.ts';
import { splitLine } from '../copy/text.ts';
import { digestField } from './field.ts';
import { HASHING, bucketBits, bucketsSql, rowsSql } from './sql.ts';
import type { Digest } from './sql.ts';
import { setValues } from '../read/reading.ts';
import type { Reading } from '../read/reading.ts';
import type { Session } from '../session/session.ts';
import type { StreamReader } from '../read/stream-reader.ts';

/** Opens a reader of a stream, for one statement. */
export type OpenReader = (ref: StreamRef, signal: AbortSignal) => { readonly reader: StreamReader; close(): Promise<void> };

/** hash_record_extended. */
const FIRST_VERSION = 140_000;

/**
 * Hashes of a stream's rows, made by the server, each answer from one snapshot.
 * `null`: of a type that cannot be hashed for comparisons, or by a server before PostgreSQL 14.
 */
export async function openDigests(open: OpenReader, ref: StreamRef, fields: DigestFields, signal: AbortSignal): Promise<RowDigests | null> {
  const asked = digestRef(ref, fields);
  const { reader, close } = open(asked, signal);
  try {
    const notation = notationOf(await digestOf(await reader.session(), await reader.reading()));
    return notation === null ? null : rowDigests(open, asked, notation);
  } finally {
    await close();
  }
}

function digestRef(ref: StreamRef, { fields, keyCount }: DigestFields): StreamRef {
  return { ...ref, changes: { by: 'snapshot' }, key: fields.slice(0, keyCount), fields, except: [] };
}

type Digested = Digest & { readonly hashing: string };

async function digestOf(session: Session, reading: Reading): Promise<Digested | null> {
  const [version] = await session.query(`select pg_catalog.current_setting('server_version_num')`);
  if (Number(version?.[0]) < FIRST_VERSION) return null;
  const [row] = await session.query(HASHING);
  const [hashing, encoding] = row as readonly [string, string];
  const fields = reading.shape.fields.map(({ name }) => {
    const column = reading.relation.columns.find((one) => one.name === name);
    return column === undefined ? null : digestField(column, reading.relation, encoding);
  });
  return fields.includes(null) ? null : { reading, hashing, fields: fields.filter((field) => field !== null) };
}

function notationOf(digest: Digested | null): string[] | null {
  return digest?.fields.map((field) => `${field.notation}#${digest.hashing}`) ?? null;
}

function rowDigests(open: OpenReader, ref: StreamRef, notation: readonly string[]): RowDigests {
  /** Rows of one statement in a snapshot of its own, whose columns still are what the notation says. */
  async function* rowsOf(
    select: (digest: Digest) => string,
    values: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<Fetched> {
    const { reader, close } = open(ref, signal);
    try {
      const { reading } = await reader.begin();
      const session = await reader.session();
      const digest = await digestOf(session, reading);
      if (digest === null || notationOf(digest)?.join() !== notation.join())
        throw new TrueupError('E_PLAN_CHANGED', `Columns of '${ref.name}' got other types while the stream was being compared.`);
      await session.query(CHEAP_PARALLEL);
      await setValues(session, values);
      for await (const rows of textRows(session, select(digest))) {
        signal.throwIfAborted();
        yield { reading, rows };
      }
      await reader.end();
    } finally {
      await close();
    }
  }

  return {
    notation,
    async *buckets(below, signal) {
      for await (const { rows } of rowsOf((digest) => bucketsSql(digest, below), {}, signal))
        for (const [bucket, count, sum] of rows) yield { bucket: Number(bucket), count: Number(count), sum: unsigned(sum) };
    },
    async *rows(buckets, signal) {
      if (buckets.length === 0) return;
      for await (const { reading, rows } of rowsOf(rowsSql, { buckets: bucketBits(buckets) }, signal))
        yield rows.map(([bucket, hash, ...key]) => ({ bucket: Number(bucket), hash: unsigned(hash), key: keyCells(reading, key) }));
    },
  };
}

interface Fetched {
  readonly reading: Reading;
  readonly rows: readonly (readonly (string | null)[])[];
}

/**
 * For this transaction: workers hash, one process sums up what little they hand over; the sums of all buckets fit into memory; compiling the expressions
 * takes longer than it saves.
 */
const CHEAP_PARALLEL = `set local parallel_tuple_cost to 0.005; set local work_mem to '32MB'; set local jit to off`;

function unsigned(text: string | null | undefined): bigint {
  return BigInt.asUintN(64, BigInt(text ?? 0));
}

function keyCells({ keyDecoders }: Reading, texts: readonly (string | null)[]): Cell[] {
  return texts.map((text, index): Cell => {
    const decode = keyDecoders[index] ?? null;
    return text === null || decode === null ? text : decode(text);
  });
}

const ROWS = { count: 10_000, bytes: 8 * 1024 * 1024, perLine: 100, lineBytes: Infinity };

/** Rows of a SELECT through COPY, some thousands at a time, so that memory does not grow with their number. */
async function* textRows(session: Session, select: string): AsyncGenerator<(string | null)[][]> {
  const collector = lineCollector(ROWS);
  const taken = () => Array.from(lineTexts(collector.take().lines), splitLine);
  for await (const chunk of copyOut(session, select)) {
    for (let at = 0; at < chunk.length;) {
      at = collector.add(chunk, at);
      if (collector.full) yield taken();
    }
  }
  if (!collector.empty) yield taken();
}
