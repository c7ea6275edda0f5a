import type { Json } from '../model/json.ts';
import type { ParsedMapping } from './parse.ts';
import type { FilterPlan } from './plan.ts';

/** What makes a mapping another one: what was written, references to secrets instead of their values. Never the fields of the source. */
export function hashInput(mapping: ParsedMapping | null, filters: readonly FilterPlan[]): Json {
  const conditions = filters.map(({ label, expr }) => [label, expr]);
  return mapping === null ? { filters: conditions } : { mapping: plainJson(mapping.data), filters: conditions };
}

/** Pairs instead of objects, so that every name keeps its place. */
function plainJson(value: unknown): Json {
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value === 'object' && value !== null) return Object.entries(value).map(([name, item]): Json => [name, plainJson(item)]);
  return value as Json;
}
