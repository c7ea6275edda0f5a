import type { Document } from 'mongodb';
import type { StreamRef } from '../../../src/sdk.ts';
import type { MongoOptions } from '../options.ts';
import type { ServerFacts } from '../session.ts';

/** Pre- and post-images came with MongoDB 6.0 (wire version 17). */
export const IMAGES_WIRE = 17;

/** What a change stream is asked to tell, beside which documents changed. */
export interface Images {
  /** Members of `$changeStream`. */
  readonly stage: Document;
  /** Stages after it. */
  readonly stages: readonly Document[];
}

/**
 * Events of some collections, with no more in them than is needed: a document of 16 MiB, what was changed in it and what it was before would not fit into one answer
 * together. Of what it was before, only that by which documents that hold it are found.
 *
 * @param lean after an event that was too large all the same: no documents, every change is looked up
 */
export function imagesOf(refs: readonly StreamRef[], options: MongoOptions, facts: ServerFacts, lean: boolean): Images {
  const hasImages = facts.wireVersion >= IMAGES_WIRE && !lean;
  const names = refs.map(({ name }) => name);
  const joined = hasImages ? refs.flatMap(({ lookups = [] }) => lookups.flat()) : [];
  const before = joined.length === 0 ? [] : [...new Set(['_id', ...joined])];
  const post = hasImages && options.postImages;
  return {
    stage: {
      ...(post ? { fullDocument: 'whenAvailable' } : {}),
      ...(before.length > 0 ? { fullDocumentBeforeChange: 'whenAvailable' } : {}),
    },
    stages: [
      { $match: { $or: [{ 'ns.coll': { $in: names } }, { 'to.coll': { $in: names } }] } },
      { $project: { ...ALWAYS, ...(lean ? {} : { fullDocument: 1 }), ...beforeFields(before) } },
    ],
  };
}

const ALWAYS: Document = { operationType: 1, clusterTime: 1, wallTime: 1, ns: 1, to: 1, documentKey: 1, lsid: 1, txnNumber: 1 };

/** A path and one inside of it cannot be named together. */
function beforeFields(paths: readonly string[]): Document {
  const outer = paths.filter((path) => !paths.some((other) => path.startsWith(`${other}.`)));
  return Object.fromEntries(outer.map((path) => [`fullDocumentBeforeChange.${path}`, 1]));
}
