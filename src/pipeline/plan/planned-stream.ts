import type { MappingPlan } from '../../mapping/plan.ts';
import type { SourceStreamPlan, StreamInfo, StreamRef, TargetStream, TargetStreamPlan } from '../../model/contracts.ts';
import type { Guarantee } from '../../model/guarantee.ts';
import type { StreamEntry } from '../../model/job.ts';
import type { Form } from '../../model/records.ts';
import type { ChildTable } from './child-tables.ts';
import type { ComparePlan } from '../compare/compare-plan.ts';
import type { PlannedEmbed } from '../embed/plan-embeds.ts';
import type { HashedPlan } from './plan-hash.ts';
import type { PlanProblem } from './plan-report.ts';

/** One stream from source to target, decided. */
export interface PlannedStream {
  readonly name: string;
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  readonly ref: StreamRef;
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
  readonly hash: string;
  /** What the hash is made of. */
  readonly hashed: HashedPlan;
  readonly sourcePlan: SourceStreamPlan;
  readonly targetPlan: TargetStreamPlan;
  /** Child tables, each before those below it. */
  readonly children: readonly ChildTable[];
  /** How its records travel. */
  readonly form: Form;
  readonly guarantee: Guarantee;
  /** `null`: both sides are not compared in runs. */
  readonly compare: ComparePlan | null;
  /** How both sides are compared once where the source has lost the position, or was told to forget it. `null`: not at all. */
  readonly afterGap: ComparePlan | null;
  /** Children of other streams that its records carry, those of children included. */
  readonly embeds: readonly PlannedEmbed[];
  /** Streams of the same job that are written before it. */
  readonly after: readonly string[];
  readonly problems: readonly PlanProblem[];
}

/** A stream whose mapping stands; source and target have not been asked yet. */
export interface Draft {
  readonly entry: StreamEntry;
  readonly info: StreamInfo;
  readonly ref: StreamRef;
  readonly mapping: MappingPlan;
  readonly target: TargetStream;
}
