import { join } from 'node:path';
import { describe } from 'vitest';
import { openSqliteControl } from '../../../src/sdk.ts';
import { checkpointStoreContract, targetContract } from '../../../src/testing/index.ts';
import { openFolder } from './source-kit.ts';
import { targetFixture } from './target-kit.ts';

describe('the file target', () => {
  describe('of JSON lines', () => targetContract(() => targetFixture('.jsonl')));
  describe('of CSV', () => targetContract(() => targetFixture('.csv')));
  describe('of CSV in gzip', () => targetContract(() => targetFixture('.csv.gz')));
  describe('of JSON lines in zstd', () => targetContract(() => targetFixture('.jsonl.zst')));

  describe('its checkpoints', () =>
    checkpointStoreContract(async () => {
      const folder = await openFolder();
      const opened: { close(): Promise<void> }[] = [];
      return {
        open: () => {
          const control = openSqliteControl(join(folder.path, '.trueup', 'files.sqlite'));
          opened.push(control);
          return control.store;
        },
        close: async () => {
          for (const control of opened) await control.close();
          await folder.remove();
        },
      };
    }));
});
