import type { Job } from '../../model/job.ts';
import type { Guarantee, GuaranteeParts } from '../../model/guarantee.ts';

export interface GuaranteeInputs {
  readonly source: GuaranteeParts;
  readonly checkpoints: 'atomic' | 'beside' | 'state';
  readonly guarded: boolean;
  /** Soft deletes: the expression says which rows are gone. */
  readonly softDelete: string | null;
  /** Whether runs compare both sides and delete what the source no longer has. */
  readonly compares: boolean;
  /** What limits those deletes; `null`: nothing. */
  readonly deleteScope: string | null;
  /** Whether any field of the plan declares a loss. */
  readonly losses: boolean;
  /** The target's name, where lines are appended to it and nothing is changed in place. Absent: it holds state. */
  readonly log?: string;
  /** Whether the target has a place for deletes. Default: it has. */
  readonly takesDeletes?: boolean;
}

export function streamGuarantee(inputs: GuaranteeInputs): Guarantee {
  const { source, checkpoints, guarded, losses, log } = inputs;
  const { deletes, assumes } = deletesOf(inputs);
  return {
    delivery: checkpoints === 'atomic' ? 'exactly-once-effect' : 'at-least-once',
    lateCommits: source.lateCommits,
    deletes: inputs.takesDeletes === false ? 'never' : deletes,
    staleWrites: checkpoints === 'atomic' ? 'refused' : guarded ? 'guarded' : 'possible',
    fidelity: losses ? 'declared-losses' : 'exact',
    assumes: log === undefined ? assumes : [...assumes, `whoever reads ${log} takes the last line of each key`],
  };
}

/** Comparing finds rows that are gone whatever else is believed of deletes, but only when it is done. */
function deletesOf({ source, softDelete, compares, deleteScope }: GuaranteeInputs): Pick<Guarantee, 'deletes' | 'assumes'> {
  const { assumes } = source;
  if (source.deletes === 'delivered') return { deletes: 'delivered', assumes };
  if (compares)
    return {
      deletes: 'by-compare',
      assumes: deleteScope === null ? assumes : [...assumes, `deleted rows lie within the scope of the comparison: ${deleteScope}`],
    };
  if (softDelete !== null) return { deletes: 'delivered', assumes: [...assumes, `a row is deleted by making this true: ${softDelete}`] };
  return { deletes: 'never', assumes };
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
