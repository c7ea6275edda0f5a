import type { Batch, Conversion, Source } from '../../model/contracts.ts';

export interface Assembly {
  /** Reads children with their own children in them. */
  readonly source: Source;
  readonly secrets: (text: string) => string;
}

/** A batch whose records carry their children. */
export interface AssembledBatch extends Batch {
  /** Values of children that their mapping converted with a loss that a policy allows. */
  readonly embedded: readonly Conversion[];
}

export function isAssembled(batch: Batch): batch is AssembledBatch {
  return 'embedded' in batch;
}
