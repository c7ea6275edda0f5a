import type { CheckpointStore } from '../../model/checkpoint.ts';
import type { Lane, Source, Target } from '../../model/contracts.ts';

type Calls<
  Name extends string,
  T,
> = `${Name}.${Extract<{ [K in keyof T]-?: T[K] extends ((...given: never[]) => unknown) | undefined ? K : never }[keyof T], string>}`;

/** Every function of the two contracts, and what stands between two items of those that give many. */
export type FailPoint =
  | Calls<'source', Source>
  | Calls<'target', Target>
  | Calls<'lane', Lane>
  | Calls<'store', CheckpointStore>
  | 'source.batch'
  | 'source.fetchBy.batch'
  | 'source.scan.batch'
  | 'target.fetchBy.batch'
  | 'target.scan.batch';

/** What lies between before and after. Each stands for two fail points. */
export const FAIL_POINTS: Readonly<Record<FailPoint, string>> = {
  'source.identity': 'the source names its data',
  'source.recall': 'the source is told of feeds of earlier runs',
  'source.discover': 'the source lists its streams',
  'source.plan': 'preflight of the source',
  'source.apply': 'the source makes what reading needs',
  'source.feeds': 'the source names its feeds',
  'source.startCursor': 'the position before a first load is taken',
  'source.splitBackfill': 'a first load is split into parts',
  'source.fetchChanges': 'one whole reading of a feed',
  'source.batch': 'a batch: before it is handed over, and when the next one is asked for',
  'source.acknowledge': 'the source is told what is durable',
  'source.settled': 'the source is asked whether a read sees everything',
  'source.fetchBy': 'records are looked up by key',
  'source.fetchBy.batch': 'a batch of these',
  'source.scan': 'a whole stream is read for a comparison',
  'source.scan.batch': 'a batch of it',
  'source.changedSince': 'the source is asked what changed since a time',
  'source.undelivered': 'the source is asked which records are still to come',
  'source.digests': 'the source hashes its records',
  'source.heldBack': 'the source is asked what holds deliveries back',
  'source.logState': 'the source is asked how far its log reaches',
  'source.release': 'what the source keeps for a feed is given up',
  'source.kept': 'the source is asked what it keeps for jobs that are gone',
  'source.explainCursor': 'a position is put into words',
  'source.close': 'the source is closed',
  'target.identity': 'the target names its data',
  'target.nameFor': 'a name in the target is made',
  'target.connectAhead': 'the target connects before it is needed',
  'target.plan': 'the target is compared with what it should be',
  'target.apply': 'what the target lacks is created',
  'target.openLane': 'a lane is opened',
  'target.storedAs': 'the target says how it holds values',
  'target.digests': 'the target hashes its records',
  'target.writtenBy': 'the target says who wrote a record',
  'target.scan': 'a whole target is read for a comparison',
  'target.scan.batch': 'a batch of it',
  'target.fetchBy': 'records of the target are looked up',
  'target.fetchBy.batch': 'a batch of these',
  'target.close': 'the target is closed',
  'lane.bulkUpsert': 'a batch is written, and not durable yet',
  'lane.commit': 'rows, letters and checkpoint become durable',
  'lane.discard': 'what was not committed is forgotten',
  'lane.close': 'a lane is closed',
  'store.acquire': 'the job is taken',
  'store.renew': 'the lease is renewed',
  'store.release': 'the job is given back',
  'store.owner': 'the owner is looked up',
  'store.save': 'checkpoints are saved apart from rows',
  'store.list': 'checkpoints are read',
  'store.letters': 'dead letters are read',
  'store.close': 'the store is closed',
};
