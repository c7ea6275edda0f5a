import { createHash } from 'node:crypto';
import { cellsText } from '../../connectors/memory/cells.ts';
import { DIGEST_BUCKETS, decodedCell, keyNames } from '../../src/sdk.ts';
import type { Cell, RowDigests, Target, TargetStream } from '../../src/sdk.ts';
import type { TargetFixture } from '../../src/testing/index.ts';

/* Hashes over what a target's scan gives: right as they are, or with one fault planted. */

interface Listed {
  readonly bucket: number;
  readonly key: readonly Cell[];
  readonly hash: bigint;
}

export interface Planted {
  /** What a record is hashed by. */
  readonly text?: (cells: readonly Cell[], stream: TargetStream) => string;
  /** A record's hash is the sum of those of its values. */
  readonly columnwise?: boolean;
  readonly sums?: (records: readonly Listed[]) => readonly Listed[];
  readonly lists?: (records: readonly Listed[]) => readonly Listed[];
  readonly below?: (below: number) => number;
}

export function withDigests(fixture: TargetFixture, planted: Planted): TargetFixture {
  return {
    ...fixture,
    open: () => {
      const target = fixture.open();
      return { ...target, digests: async (stream, { fields }) => rowDigests(target, stream, fields, planted) };
    },
  };
}

function rowDigests(target: Target, stream: TargetStream, fields: readonly string[], planted: Planted): RowDigests {
  const text = planted.text ?? ((cells: readonly Cell[]) => cellsText(cells));
  const hashOf = (cells: readonly Cell[]): bigint =>
    planted.columnwise === true
      ? cells.reduce<bigint>((sum, cell, index) => sum + hash64(`${index} ${cellsText([cell])}`), 0n)
      : hash64(text(cells, stream));
  const all = async (signal: AbortSignal): Promise<Listed[]> => {
    const found: Listed[] = [];
    for await (const { records } of target.scan?.({ stream, fields, signal }) ?? []) {
      for (const record of records.rows()) {
        const cells = fields.map((_, index) => decodedCell(records, record, index));
        const key = cells.slice(0, keyNames(stream.shape).length);
        found.push({ key, hash: hashOf(cells), bucket: Number(hash64(cellsText(key)) % BigInt(DIGEST_BUCKETS)) });
      }
    }
    return found;
  };
  return {
    notation: fields.map((name) => `suite:${name}`),
    async *buckets(below, signal) {
      const sums = new Map<number, { count: number; sum: bigint }>();
      const records = await all(signal);
      for (const { bucket, hash } of planted.sums?.(records) ?? records) {
        const { count, sum } = sums.get(bucket) ?? { count: 0, sum: 0n };
        sums.set(bucket, { count: count + 1, sum: BigInt.asUintN(64, sum + hash) });
      }
      const bound = planted.below?.(below) ?? below;
      for (const [bucket, sum] of sums) if (bucket < bound) yield { bucket, ...sum };
    },
    async *rows(buckets, signal) {
      const wanted = new Set(buckets);
      const records = await all(signal);
      yield (planted.lists?.(records) ?? records).filter(({ bucket }) => wanted.has(bucket));
    },
  };
}

function hash64(text: string): bigint {
  return createHash('sha256').update(text).digest().readBigUInt64BE();
}
