/** The known name that `name` was most likely meant to be, or `null`. Case and a few letters may differ. */
export function didYouMean(name: string, known: Iterable<string>): string | null {
  const wanted = name.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    if (candidate === name) continue;
    const other = candidate.toLowerCase();
    const distance = isBeginning(wanted, other) ? 1 : editDistance(wanted, other, bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** `trunc` was meant to be `truncate`. */
function isBeginning(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= 4 && (a.startsWith(b) || b.startsWith(a));
}

/** ` Known: a, b, c. Did you mean 'b'?`, to be put behind a message about an unknown name. Long lists are cut. */
export function knownNames(name: string, known: Iterable<string>, label = 'Known'): string {
  const names = [...known];
  const meant = didYouMean(name, names);
  const shown = names.slice(0, 40).join(', ') + (names.length > 40 ? `, and ${names.length - 40} more` : '');
  return `${names.length === 0 ? '' : ` ${label}: ${shown}.`}${meant === null ? '' : ` Did you mean '${meant}'?`}`;
}

/** Edits (insert, delete, replace, swap of neighbours) between two words; at least `limit` when there are that many. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(replace, (previous[j] as number) + 1, (current[j - 1] as number) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (older[j - 2] as number) + 1);
      current.push(least);
    }
    older = previous;
    previous = current;
  }
  return previous[b.length] as number;
}
