import { describe } from 'vitest';
import { sourceContract } from '../../../src/testing/index.ts';
import { sourceFixture } from './source-kit.ts';

describe('the file source', () => {
  describe('of JSON lines', () => sourceContract(() => sourceFixture({ text: 'jsonl' })));
  describe('of CSV', () => sourceContract(() => sourceFixture({ text: 'csv' })));
  describe('of CSV in gzip', () => sourceContract(() => sourceFixture({ text: 'csv', compression: 'gzip' })));
  describe('of JSON lines in zstd', () => sourceContract(() => sourceFixture({ text: 'jsonl', compression: 'zstd' })));
  describe('of one file after another', () => sourceContract(() => sourceFixture({ text: 'csv', parts: true })));
});
