/** What source, change method, key and target promise together. Computed before a run, printed, stored with it. */
export interface Guarantee {
  readonly delivery: 'exactly-once-effect' | 'at-least-once';
  readonly lateCommits: 'delivered' | 'within-lookback' | 'lost';
  readonly deletes: 'delivered' | 'by-compare' | 'never';
  readonly staleWrites: 'refused' | 'guarded' | 'possible';
  readonly fidelity: 'exact' | 'declared-losses';
  /** What must be true outside of trueup: `every write to public.orders sets updated_at`. */
  readonly assumes: readonly string[];
}

/** The source's share of a guarantee, for one stream and change method. */
export interface GuaranteeParts {
  readonly lateCommits: Guarantee['lateCommits'];
  readonly deletes: 'delivered' | 'never';
  /** Changes and deletes tell what the fields of `StreamRef.lookups` were before. */
  readonly remembers?: true;
  readonly assumes: readonly string[];
}
