import type { GuaranteeParts, StreamRef } from '../../src/sdk.ts';
import type { StreamPlan } from './stream-plan.ts';

/**
 * The source's share of the guarantee. An API shows no transactions: what it dates before a value that was read already comes late, and is found within a declared lookback
 * only. What is deleted leaves no trace in pages.
 */
export function guaranteeOf(
  plan: Pick<StreamPlan, 'name' | 'declared' | 'parent'>,
  { changes, lookbackMs }: Pick<StreamRef, 'changes' | 'lookbackMs'>,
): GuaranteeParts {
  const { name, parent } = plan;
  const paging = [
    ...pagingAssumes(plan),
    ...(parent === null ? [] : [`every record of ${parent.name} is listed`, ...pagingAssumes(parent)]),
  ];
  if (changes.by === 'snapshot') return { lateCommits: 'delivered', deletes: 'never', assumes: paging };
  const field = `${name}.${changes.field ?? '?'}`;
  const { param } = plan.declared.changes ?? { param: '?' };
  const written = [`every write to ${name} raises ${field}`, `${param} of ${name} asks for records at or after its value`];
  if (lookbackMs === undefined) return { lateCommits: 'lost', deletes: 'never', assumes: [...written, ...paging] };
  return {
    lateCommits: 'within-lookback',
    deletes: 'never',
    assumes: [...written, `${field} is the time of the write, by clocks that agree within the lookback`, ...paging],
  };
}

/** What a walk over pages cannot see for itself. */
function pagingAssumes({ name, declared }: Pick<StreamPlan, 'name' | 'declared'>): string[] {
  switch (declared.pages?.by) {
    case 'page':
      return [`no record of ${name} moves to an earlier page while the pages are read`];
    case 'offset':
      return [`pages of ${name} keep their order, but for records that come, go or move one at a time`];
    case 'keyset':
      return [`pages of ${name} come in the order of ${declared.pages.field}, whose values stand once`];
    case 'cursor':
    case 'next':
    case 'link':
      return [`the pages of ${name} show every record that is there while they are read`];
    default:
      return [];
  }
}
