import { expect, it } from 'vitest';
import type { Source } from '../../src/model/contracts.ts';
import { embeddingSource } from '../../src/pipeline/embed/embedding-source.ts';

/** Does not compile when the contract has a member that is not here. */
const MEMBERS: Readonly<Record<keyof Source, true>> = {
  identity: true,
  recall: true,
  discover: true,
  plan: true,
  apply: true,
  feeds: true,
  startCursor: true,
  splitBackfill: true,
  fetchChanges: true,
  acknowledge: true,
  settled: true,
  fetchBy: true,
  scan: true,
  undelivered: true,
  changedSince: true,
  digests: true,
  heldBack: true,
  logState: true,
  release: true,
  kept: true,
  explainCursor: true,
  close: true,
};
const NEEDED = ['identity', 'discover', 'plan', 'feeds', 'startCursor', 'fetchChanges', 'close'];

const sourceOf = (members: readonly string[]): Source =>
  Object.fromEntries(members.map((name) => [name, () => Promise.reject(new Error('not called'))])) as unknown as Source;

it('a source that embeds can do everything that the source can, and nothing else', () => {
  const able = embeddingSource(sourceOf(Object.keys(MEMBERS)), (text) => text);
  expect(Object.keys(able).toSorted()).toEqual(Object.keys(MEMBERS).toSorted());
  const bare = embeddingSource(sourceOf(NEEDED), (text) => text);
  expect(Object.keys(bare).toSorted()).toEqual(NEEDED.toSorted());
});
