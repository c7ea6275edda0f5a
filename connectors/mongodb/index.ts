import { defineConnector } from '../../src/sdk.ts';
import { options } from './options.ts';
import { promises } from './promises.ts';
import { openMongoSource } from './source.ts';
import { openMongoTarget } from './target.ts';

export default defineConnector({
  name: 'mongodb',
  summary: 'MongoDB 4.4 and later: collections and views as a source, collections as a target.',
  options,
  cursorVersion: 1,
  promises,
  openSource: openMongoSource,
  openTarget: openMongoTarget,
});
