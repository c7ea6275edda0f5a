import { it } from 'vitest';
import { describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { proveDocuments, proveRows } from './document-proof.ts';

const SIZE = { rows: 20_000, each: 15, step: 500 };

describeWithPostgres('verify between PostgreSQL and MongoDB', () => {
  describeWithMongo('with both servers', () => {
    it(
      'finds every planted difference in documents and no other, repairs these and touches no other, while rows change',
      { timeout: 600_000 },
      async () => {
        await proveDocuments(SIZE);
      },
    );

    it(
      'finds every planted difference in rows and no other, repairs these and touches no other, while documents change',
      { timeout: 600_000 },
      async () => {
        await proveRows(SIZE);
      },
    );
  });
});
