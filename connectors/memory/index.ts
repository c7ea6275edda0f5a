import { defineConnector, z } from '../../src/sdk.ts';
import { memoryDatabase } from './database.ts';
import { openMemorySource } from './source.ts';
import { guarantee } from './source-plan.ts';
import { openMemoryTarget } from './target.ts';

/*
 * A database inside this process: the reference implementation of the contracts. Read `database.ts` for what it stores, then `source.ts`,
 * `lane.ts` and `store.ts`. Programs and tests fill it through `memoryDatabase(name)`.
 */

export { dropMemoryDatabase, memoryDatabase } from './database.ts';
export type { MemoryDatabase } from './database.ts';

const options = z.strictObject({
  database: z.string().min(1).default('default').describe('Name of a database in this process; sources and targets of one name share it.'),
});

const memory = defineConnector({
  name: 'memory',
  summary:
    'Collections in the memory of this process, gone when it ends: for tests, for trying things out, and as an example of a connector.',
  options,
  cursorVersion: 1,
  promises: {
    source: [
      { by: 'log', situation: 'a collection', parts: guarantee({ name: 'orders', changes: { by: 'log' } }) },
      { by: 'cursor', situation: 'a collection', parts: guarantee({ name: 'orders', changes: { by: 'cursor', field: 'updated_at' } }) },
      { by: 'sequence', situation: 'a collection', parts: guarantee({ name: 'orders', changes: { by: 'sequence', field: 'id' } }) },
      { by: 'snapshot', situation: 'a collection', parts: guarantee({ name: 'orders', changes: { by: 'snapshot' } }) },
    ],
    target: { checkpoints: 'atomic' },
  },
  openSource: ({ database }) => openMemorySource(memoryDatabase(database)),
  openTarget: ({ database }) => openMemoryTarget(memoryDatabase(database)),
});

export default memory;
