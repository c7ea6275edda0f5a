import { describe } from 'vitest';
import { sourceContract } from '../../../src/testing/index.ts';
import { describeWithMongo } from '../../servers/mongo.ts';
import { logFixture } from './log-kit.ts';

describeWithMongo('connectors: mongodb as a source, by its log', () => {
  describe('one collection', () => sourceContract(() => logFixture()));

  describe('one collection that keeps images', () => sourceContract(() => logFixture({ options: { postImages: true }, images: true })));
});
