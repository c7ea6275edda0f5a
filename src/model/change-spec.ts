export const CHANGE_METHODS = ['cursor', 'sequence', 'xmin', 'log', 'snapshot', 'push'] as const;
export type ChangeMethod = (typeof CHANGE_METHODS)[number];

/** How the changes of a stream are found. `field`: the cursor column of `cursor`, the counter of `sequence`. */
export interface ChangeSpec {
  readonly by: ChangeMethod;
  readonly field?: string;
}
