import type { ErrorCode } from '../../errors.ts';
import type { Guarantee } from '../../model/guarantee.ts';
import type { Json } from '../../model/json.ts';

/** `plan --json`. Touches nothing unless `applied`. */
export interface PlanReport {
  readonly command: 'plan';
  readonly exitCode: number;
  readonly applied: boolean;
  readonly jobs: readonly JobPlanReport[];
}

export interface JobPlanReport {
  readonly job: string;
  readonly checkpoints: 'atomic' | 'beside' | 'state';
  readonly guarantee?: Guarantee;
  readonly streams: readonly StreamPlanReport[];
  readonly problems: readonly PlanProblem[];
}

export interface StreamPlanReport {
  readonly stream: string;
  readonly target: string;
  /** `cursor updated_at`, `xmin`, …: the method and its field. */
  readonly changes: string;
  readonly key: readonly string[];
  readonly form: string;
  readonly fields: readonly FieldPlanReport[];
  /** unwind: child tables, each before those below it. Their statements and problems are among those of the stream. */
  readonly children?: readonly { readonly target: string; readonly key: readonly string[]; readonly fields: readonly FieldPlanReport[] }[];
  /** embed: children of other streams that its records carry, those of children (`items.parts`) behind them. */
  readonly embeds?: readonly {
    readonly name: string;
    readonly stream: string;
    readonly changes: string;
    readonly on: Readonly<Record<string, string>>;
  }[];
  readonly statements: readonly string[];
  readonly problems: readonly PlanProblem[];
  readonly guarantee: Guarantee;
  readonly rowEstimate?: number;
  /** Mapped records, field by name, when a sample was asked for. */
  readonly sample?: readonly Json[];
}

export interface FieldPlanReport {
  readonly from: string;
  readonly to: string;
  readonly type: string;
  readonly targetType: string;
  readonly loss?: string;
}

export interface PlanProblem {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly statements?: readonly string[];
}
