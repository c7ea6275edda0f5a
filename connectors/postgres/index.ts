import { defineConnector } from '../../src/sdk.ts';
import { options } from './options.ts';
import { promises } from './promises.ts';
import { openPostgresSource } from './source.ts';
import { openPostgresState } from './store/state.ts';
import { openPostgresTarget } from './target.ts';

export default defineConnector({
  name: 'postgres',
  summary: 'PostgreSQL 13 and later: tables, partitioned tables, views and queries as a source; tables and checkpoints as a target.',
  options,
  cursorVersion: 1,
  promises,
  openSource: openPostgresSource,
  openTarget: openPostgresTarget,
  openState: openPostgresState,
});
