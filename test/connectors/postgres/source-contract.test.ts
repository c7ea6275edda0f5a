import { describe } from 'vitest';
import { sourceContract } from '../../../src/testing/index.ts';
import { describeWithPostgres } from '../../servers/postgres.ts';
import { sourceFixture } from './source-kit.ts';

const MORE = `price numeric(10,2) default 1.50, tags text[] default '{a,"b c",NULL}', doc jsonb default '{"n": 12345678901234567890.123}', raw bytea default '\\x00ff', mood float8 default 'NaN'`;
const TABLE = `create table things (id bigint primary key, label text, updated_at timestamptz not null default now(), ${MORE})`;
const INDEX = 'create index on things (updated_at, id)';

describeWithPostgres('connectors: postgres as a source', () => {
  describe('by a cursor column', () => sourceContract(() => sourceFixture({ ref: {}, setup: [TABLE, INDEX] })));

  describe('by xmin', () => sourceContract(() => sourceFixture({ ref: { changes: { by: 'xmin' } }, setup: [TABLE] })));

  describe('by a counter that every write draws', () =>
    sourceContract(() =>
      sourceFixture({
        ref: { changes: { by: 'cursor', field: 'updated_at' } },
        setup: [
          'create sequence versions',
          `create table things (id bigint primary key, label text, updated_at bigint not null default nextval('versions'))`,
          INDEX,
        ],
      }),
    ));

  describe('by a timestamp without time zone that nobody indexed', () =>
    sourceContract(() =>
      sourceFixture({
        ref: {},
        setup: ['create table things (id numeric primary key, label text, updated_at timestamp default localtimestamp)'],
      }),
    ));
});
