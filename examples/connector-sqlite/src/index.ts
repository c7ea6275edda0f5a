import { resolve } from 'node:path';
import { defineConnector, z } from 'trueup/sdk';
import { openFile } from './file.ts';
import { guarantee } from './source-plan.ts';
import { openSource } from './source.ts';
import { openTarget } from './target.ts';

/*
 * SQLite files as source and target, by the node:sqlite of Node.js. An example of a connector of somebody else's: it imports `trueup/sdk` and nothing else of
 * trueup. Read `source.ts` and `target.ts` for what there is, then `change-table.ts` and `lane.ts` for how it holds.
 */

const options = z.strictObject({
  path: z.string().min(1).meta({ description: 'The database file, from the folder of the config. A target is made where it is missing.' }),
  waitMs: z.int().positive().default(20_000).meta({ description: 'How long to wait while another process writes (ms).' }),
  pollMs: z.int().positive().default(1_000).meta({ description: 'How often to look for changes while following (ms).' }),
});

export default defineConnector({
  name: 'sqlite',
  summary: 'Tables of SQLite files, their changes noted by triggers; as a target with checkpoints in the same transaction.',
  options,
  cursorVersion: 1,
  promises: {
    source: [
      { by: 'log', situation: 'a table with a primary key', parts: guarantee({ name: 'orders', changes: { by: 'log' } }) },
      { by: 'snapshot', situation: 'a table or a view', parts: guarantee({ name: 'orders', changes: { by: 'snapshot' } }) },
    ],
    target: { checkpoints: 'atomic' },
  },
  openSource: ({ path, waitMs, pollMs }, { baseDir }) =>
    openSource(openFile({ path: resolve(baseDir, path), waitMs, create: false }), pollMs),
  openTarget: ({ path, waitMs }, { baseDir }) => openTarget(openFile({ path: resolve(baseDir, path), waitMs, create: true })),
});
