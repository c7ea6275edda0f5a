import { Double, Int32, Timestamp } from 'bson';
import { beforeAll, describe } from 'vitest';
import { PLAIN_LINES } from '../../../src/sdk.ts';
import { sourceContract } from '../../../src/testing/index.ts';
import { describeWithMongo, describeWithOwnMongo, startOwnMongo } from '../../servers/mongo.ts';
import { sourceFixture } from './source-kit.ts';

const DECLARED = { collections: { things: { fields: { label: 'text', updatedAt: 'timestamptz' } } } };

/** Grows in the one order of all types, and is of another type every other time. */
function changing(tick: number): unknown {
  const values = [new Int32(tick), new Double(tick), `v${tick}`, new Date(tick), new Timestamp({ t: tick, i: 1 })];
  return values[Math.min(4, Math.floor(tick / 2))];
}

describeWithMongo('connectors: mongodb as a source', () => {
  describe('by a date', () => sourceContract(() => sourceFixture()));

  describe('by a date with a lookback', () => sourceContract(() => sourceFixture({ ref: { lookbackMs: 60_000 }, repeats: 'always' })));

  describe('as lines', () => sourceContract(async () => ({ ...(await sourceFixture()), form: PLAIN_LINES })));

  describe('by values of changing types', () => sourceContract(() => sourceFixture({ stamp: changing })));
});

describeWithOwnMongo('connectors: mongodb as a source, without points in time and without an index', () => {
  let server = '';
  beforeAll(async () => {
    server = (await startOwnMongo({ members: 0 })).url;
  });

  describe('by a date, fields declared', () => sourceContract(() => sourceFixture({ options: DECLARED, index: false, server })));
});
