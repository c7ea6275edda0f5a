import { describe } from 'vitest';
import { BINARY_FORM } from '../../../connectors/postgres/copy/binary.ts';
import { TEXT_FORM } from '../../../connectors/postgres/copy/text.ts';
import { sourceContract } from '../../../src/testing/index.ts';
import { describeWithPostgres } from '../../servers/postgres.ts';
import { sourceFixture } from './source-kit.ts';

const MORE = `price numeric(10,2) default 1.50, tags text[] default '{a,"b c",NULL}', doc jsonb default '{"n": 12345678901234567890.123}', raw bytea default '\\x00ff', mood float8 default 'NaN'`;
const TABLE = `create table things (id bigint primary key, label text, updated_at timestamptz not null default now(), ${MORE})`;
const INDEX = 'create index on things (updated_at, id)';

describeWithPostgres('connectors: postgres as a source of more than plain tables', () => {
  describe('from a partitioned table', () =>
    sourceContract(() =>
      sourceFixture({
        ref: {},
        setup: [
          `create table things (id bigint primary key, label text, updated_at timestamptz not null default now(), ${MORE}) partition by hash (id)`,
          'create table things_0 partition of things for values with (modulus 2, remainder 0)',
          'create table things_1 partition of things for values with (modulus 2, remainder 1)',
          INDEX,
        ],
      }),
    ));

  describe('from a table, as COPY sends it', () =>
    sourceContract(async () => ({ ...(await sourceFixture({ ref: {}, setup: [TABLE, INDEX] })), form: TEXT_FORM })));

  describe('from a table, as binary COPY', () =>
    sourceContract(async () => ({
      ...(await sourceFixture({ ref: {}, setup: [TABLE.replace(/, tags text\[\] default '[^']*'/, ''), INDEX] })),
      form: BINARY_FORM,
    })));

  describe('from a view', () =>
    sourceContract(() =>
      sourceFixture({
        ref: { name: 'public.seen' },
        repeats: 'always',
        setup: [TABLE, INDEX, `create view seen as select id, label, price, updated_at from things where id > 0`],
      }),
    ));

  describe('from a query', () =>
    sourceContract(() =>
      sourceFixture({
        repeats: 'always',
        ref: { name: 'seen', query: `select t.id, t.label, t.updated_at, 'x' as kind from things t -- all of them\n;` },
        setup: [TABLE, INDEX],
      }),
    ));
});
