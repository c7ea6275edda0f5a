import type { ChangeMethod, GuaranteeParts } from '../../src/sdk.ts';

/** What decides of the promise. */
export interface Situation {
  readonly name: string;
  readonly by: ChangeMethod;
  readonly op: string | null;
  readonly stdin?: boolean;
}

export function guaranteeOf({ name, by, op, stdin = false }: Situation): GuaranteeParts {
  if (by === 'snapshot')
    return { lateCommits: 'delivered', deletes: 'never', assumes: [`the files of ${name} are not changed while they are read`] };
  const kept = stdin
    ? 'after a failure the same is piped in again'
    : `lines are only appended to the files of ${name}, and files are only added`;
  return { lateCommits: 'delivered', deletes: op === null ? 'never' : 'delivered', assumes: [kept] };
}
