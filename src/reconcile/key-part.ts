import type { MappingPlan } from '../mapping/plan.ts';
import type { StreamRef, TargetStream } from '../model/contracts.ts';

/*
 * A stream reduced to its key, for comparing which records there are. Filters are left out: a record that `where` keeps out of the target is there in
 * the source all the same.
 */

/** Key fields of the target are made of key fields of the source alone, so that this is all that is read. */
export function keyRef(ref: StreamRef): StreamRef {
  return { ...ref, fields: ref.key, except: [] };
}

export function keyMapping(mapping: MappingPlan): MappingPlan {
  const { key, fields } = mapping.shape;
  const pick = <T>(all: readonly T[]): T[] => key.map((index) => all[index] as T);
  const plans = pick(mapping.fields);
  return {
    ...mapping,
    shape: { fields: pick(fields), key: key.map((_index, position) => position), open: false },
    fields: plans,
    sources: pick(mapping.sources),
    onLoss: pick(mapping.onLoss),
    reads: null,
    where: [],
    deletesWhen: null,
    projection: plans.every((plan) => plan.kind === 'copy'),
  };
}

export function keyTarget(target: TargetStream): TargetStream {
  const { key, fields } = target.shape;
  const { guard: _guard, ...rest } = target;
  return {
    ...rest,
    shape: {
      fields: key.map((index) => fields[index] as (typeof fields)[number]),
      key: key.map((_index, position) => position),
      open: false,
    },
    onLoss: key.map((index) => target.onLoss[index] ?? 'error'),
  };
}
