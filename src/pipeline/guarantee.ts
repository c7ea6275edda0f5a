import type { Job } from '../model/job.ts';
import type { Guarantee, GuaranteeParts } from '../model/guarantee.ts';

export interface GuaranteeInputs {
  readonly source: GuaranteeParts;
  readonly checkpoints: 'atomic' | 'beside' | 'state';
  readonly guarded: boolean;
  /** Soft deletes: the expression says which rows are gone. */
  readonly softDelete: string | null;
  /** Whether any field of the plan declares a loss. */
  readonly losses: boolean;
}

export function streamGuarantee(inputs: GuaranteeInputs): Guarantee {
  const { source, checkpoints, guarded, softDelete, losses } = inputs;
  return {
    delivery: checkpoints === 'atomic' ? 'exactly-once-effect' : 'at-least-once',
    lateCommits: source.lateCommits,
    deletes: softDelete === null ? source.deletes : 'delivered',
    staleWrites: checkpoints === 'atomic' ? 'refused' : guarded ? 'guarded' : 'possible',
    fidelity: losses ? 'declared-losses' : 'exact',
    assumes: softDelete === null ? source.assumes : [...source.assumes, `a row is deleted by making this true: ${softDelete}`],
  };
}

/** Every member from the strongest promise to the weakest. */
const STRENGTH = {
  delivery: ['exactly-once-effect', 'at-least-once'],
  lateCommits: ['delivered', 'within-lookback', 'lost'],
  deletes: ['delivered', 'by-compare', 'never'],
  staleWrites: ['refused', 'guarded', 'possible'],
  fidelity: ['exact', 'declared-losses'],
} as const;

type Member = keyof typeof STRENGTH;

/** What all streams promise together: the weakest of each, and every assumption. `null` without streams. */
export function weakestGuarantee(all: readonly Guarantee[]): Guarantee | null {
  if (all.length === 0) return null;
  const weakest = <M extends Member>(member: M): Guarantee[M] => {
    const order: readonly string[] = STRENGTH[member];
    return all.map((one) => one[member]).reduce((a, b) => (order.indexOf(a) >= order.indexOf(b) ? a : b));
  };
  return {
    delivery: weakest('delivery'),
    lateCommits: weakest('lateCommits'),
    deletes: weakest('deletes'),
    staleWrites: weakest('staleWrites'),
    fidelity: weakest('fidelity'),
    assumes: [...new Set(all.flatMap((one) => one.assumes))],
  };
}

/** The members in which a guarantee is weaker than required, in words. */
export function unmetRequirements(guarantee: Guarantee, require: Job['require']): string[] {
  const unmet: string[] = [];
  for (const member of Object.keys(STRENGTH) as Member[]) {
    const wanted = require[member];
    if (wanted === undefined) continue;
    const order: readonly string[] = STRENGTH[member];
    if (order.indexOf(guarantee[member]) > order.indexOf(wanted))
      unmet.push(`${member} is '${guarantee[member]}', required is '${wanted}'`);
  }
  return unmet;
}
