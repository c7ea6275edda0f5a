import { createHash } from 'node:crypto';
import type { ChangeSpec } from '../../model/contracts.ts';
import type { Json } from '../../model/json.ts';

/** What a checkpoint's meaning depends on. Never shapes (drift policy handles those), wildcard matches, limits or secrets. */
export interface HashedPlan {
  readonly mapping: Json;
  readonly key: readonly string[];
  readonly changes: ChangeSpec;
  readonly where: string | null;
  readonly deletesWhen: string | null;
  readonly query: string | null;
}

/** 128 bits as hex. Independent of the order of object members. */
export function planHash(plan: HashedPlan): string {
  return createHash('sha256')
    .update(canonicalJson(plan as unknown as Json))
    .digest('hex')
    .slice(0, 32);
}

function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member as Json)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
