import type { CheckpointStore } from '../model/checkpoint.ts';

/** An empty checkpoint store. */
export interface StoreFixture {
  /** A new store over the same data each time, as another process would open it. */
  open(): CheckpointStore | Promise<CheckpointStore>;
  close(): Promise<void>;
}
