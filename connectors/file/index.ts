import { defineConnector } from '../../src/sdk.ts';
import { options } from './options.ts';
import { promises } from './promises.ts';
import { openFileSource } from './source.ts';
import { openFileTarget } from './target.ts';

export default defineConnector({
  name: 'file',
  summary: 'CSV and JSON lines, plain or compressed with gzip or zstd: files, folders, stdin and stdout.',
  options,
  cursorVersion: 1,
  promises,
  openSource: openFileSource,
  openTarget: openFileTarget,
});
