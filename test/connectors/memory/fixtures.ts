import { randomUUID } from 'node:crypto';
import { dropMemoryDatabase, memoryDatabase } from '../../../connectors/memory/index.ts';
import type { MemoryDatabase } from '../../../connectors/memory/index.ts';
import { openMemorySource } from '../../../connectors/memory/source.ts';
import { openMemoryTarget } from '../../../connectors/memory/target.ts';
import { SCALAR_TYPES } from '../../../src/model/logical-type.ts';
import type { ChangeSpec, Row, Shape } from '../../../src/sdk.ts';
import type { SourceFixture, TargetFixture, TestRecord } from '../../../src/testing/index.ts';

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'label', type: 'text', nullable: true },
    { name: 'changed', type: 'int64', nullable: false },
    { name: 'tags', type: { list: 'text' }, nullable: false },
    { name: 'price', type: 'decimal', nullable: false },
  ],
  key: [0],
  open: false,
};

type Writes = Pick<ReturnType<MemoryDatabase['begin']>, 'upsert' | 'commit'>;

/** A collection whose writers stamp `changed` with a clock when their transaction begins, so that a transaction can commit late. */
export function memorySourceFixture(changes: ChangeSpec): SourceFixture {
  const name = randomUUID();
  const database = memoryDatabase(name);
  database.define('things', SHAPE);
  let clock = 0n;
  const write = (transaction: Writes, stamp: bigint, records: readonly TestRecord[]): void =>
    transaction.upsert('things', ...records.map(({ id, label }): Row => [BigInt(id), label, stamp, ['a', `b${id}`], `${id}.50`]));
  const writeNow = async (records: readonly TestRecord[]): Promise<void> => {
    clock += 1n;
    database.write((transaction) => write(transaction, clock, records));
  };
  const seesDeletes = changes.by === 'log';
  return {
    stream: { name: 'things', changes, key: ['id'], fields: null, except: [], maxRecordBytes: 1_000_000 },
    fields: { id: 'id', label: 'label' },
    repeats: changes.by === 'log' ? 'never' : 'after-interruption',
    open: () => openMemorySource(database),
    insert: writeNow,
    update: writeNow,
    ...(seesDeletes
      ? {
          delete: async (ids: readonly number[]) =>
            database.write((transaction) => transaction.delete('things', ...ids.map((id): Row => [BigInt(id)]))),
          truncate: async () => database.write((transaction) => transaction.truncate('things')),
        }
      : {}),
    begin: async () => {
      clock += 1n;
      const stamp = clock;
      const transaction = database.begin();
      const stage = async (records: readonly TestRecord[]): Promise<void> => write(transaction, stamp, records);
      return { insert: stage, update: stage, commit: async () => transaction.commit(), rollback: async () => {} };
    },
    close: async () => dropMemoryDatabase(name),
  };
}

/** Targets of a fresh database, read past them. */
export function memoryTargetFixture(): TargetFixture {
  const name = randomUUID();
  const database = memoryDatabase(name);
  return {
    open: () => openMemoryTarget(database),
    targetName: (stream) => stream,
    read: async ({ target, shape }) => {
      const collection = database.collections.get(target);
      const indices = shape.fields.map((field) => collection?.shape.fields.findIndex((other) => other.name === field.name) ?? -1);
      return [...(collection?.rows.values() ?? [])].map(({ cells }) => indices.map((index) => cells[index]));
    },
    exactTypes: [
      ...SCALAR_TYPES,
      { list: 'text' },
      { list: { list: 'int64' } },
      { struct: [{ name: 'a', type: 'int32', nullable: true }] },
    ],
    close: async () => dropMemoryDatabase(name),
  };
}
