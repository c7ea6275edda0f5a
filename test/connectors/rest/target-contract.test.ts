import { describe } from 'vitest';
import { targetContract } from '../../../src/testing/index.ts';
import { targetFixture } from './target-kit.ts';

describe('the target behind an API', () => {
  describe('that is sent whole records', () => targetContract(() => targetFixture('PUT')));
  describe('that is sent fields', () => targetContract(() => targetFixture('PATCH')));
});
