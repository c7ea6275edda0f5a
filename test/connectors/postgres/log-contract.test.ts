import { describe } from 'vitest';
import { sourceContract } from '../../../src/testing/index.ts';
import { describeWithPostgres } from '../../servers/postgres.ts';
import { BINARY_FORM } from '../../../connectors/postgres/copy/binary.ts';
import { TEXT_FORM } from '../../../connectors/postgres/copy/text.ts';
import { logFixture } from './log-kit.ts';

const MORE = `price numeric(10,2) default 1.50, tags text[] default '{a,"b c",NULL}', doc jsonb default '{"n": 12345678901234567890.123}', raw bytea default '\\x00ff', mood float8 default 'NaN'`;
const TABLE = `create table things (id bigint primary key, label text, updated_at timestamptz not null default now(), ${MORE})`;

describeWithPostgres('connectors: postgres by its log', () => {
  describe('a table with a primary key', () => sourceContract(() => logFixture({ setup: [TABLE] })));

  describe('rows handed on as text', () => sourceContract(() => logFixture({ setup: [TABLE], form: TEXT_FORM })));

  describe('rows handed on as their types send them', () =>
    sourceContract(() => logFixture({ setup: [TABLE, 'alter table things drop tags'], form: BINARY_FORM })));

  describe('with the whole row as its replica identity', () =>
    sourceContract(() => logFixture({ setup: [TABLE, 'alter table things replica identity full'] })));
});
