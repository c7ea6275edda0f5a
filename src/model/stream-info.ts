import type { ChangeMethod } from './change-spec.ts';
import type { Shape } from './shape.ts';

/** A stream as its source describes it. */
export interface StreamInfo {
  readonly name: string;
  readonly kind: 'table' | 'view' | 'query' | 'collection' | 'endpoint' | 'file' | 'topic';
  readonly shape: Shape;
  /** What it is called where its name says more than that: `orders` of the file `orders.csv.gz`. Targets are named after it. Absent: its name. */
  readonly plainName?: string;
  /** Why no field is known, where that is not for want of a privilege. */
  readonly unreadable?: string;
  readonly rowEstimate?: number;
  /** The change methods it offers, best first. `fields`: what can serve as `ChangeSpec.field`, best first. */
  readonly changes: readonly { readonly by: ChangeMethod; readonly fields?: readonly string[] }[];
  /** Methods that it would offer were the system set up for them. Whoever names one gets from the source's plan what is missing. */
  readonly afterSetup?: readonly ChangeMethod[];
  /** Names of streams that this one refers to (foreign keys). */
  readonly dependsOn?: readonly string[];
  /** Where fields are known from samples alone: how many records were looked at, and what was seen at each path. Shares are of 1. */
  readonly sample?: {
    readonly records: number;
    readonly paths: readonly {
      readonly path: string;
      readonly share: number;
      readonly types: readonly { readonly type: string; readonly share: number }[];
    }[];
  };
}
