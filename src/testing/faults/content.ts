import type { ContentRow } from './pair.ts';

const SAMPLES = 5;

/** How the target differs from what it must hold, a line per kind; nothing when they agree. No values: keys only. */
export function contentDifferences(expected: readonly ContentRow[], actual: readonly ContentRow[]): string[] {
  const wanted = new Map(expected.map(({ key, content }) => [key, content]));
  if (wanted.size !== expected.length) throw new Error('The pair expects a key twice: its `expected` is wrong.');
  const seen = new Set<string>();
  const found = { twice: [] as string[], extra: [] as string[], different: [] as string[] };
  for (const { key, content } of actual) {
    const want = wanted.get(key);
    if (seen.has(key)) found.twice.push(key);
    else if (want === undefined) found.extra.push(key);
    else if (want !== content) found.different.push(key);
    seen.add(key);
  }
  const missing = [...wanted.keys()].filter((key) => !seen.has(key));
  return Object.entries({ missing, ...found }).flatMap(([kind, keys]) => (keys.length === 0 ? [] : [differenceText(kind, keys)]));
}

function differenceText(kind: string, keys: readonly string[]): string {
  const sample = keys.slice(0, SAMPLES).join(', ');
  return `${keys.length} ${kind}: ${sample}${keys.length > SAMPLES ? ', …' : ''}`;
}
