/** A key as it is typed (`42`, `["eu","42"]`, `position:…`) → the text that letters are filed under: a JSON array of the cells' texts. */
export function parseKey(typed: string): string {
  if (typed.startsWith('position:')) return typed;
  const cells = typed.startsWith('[') ? parseArray(typed) : null;
  return JSON.stringify(cells ?? [typed]);
}

function parseArray(text: string): unknown[] | null {
  try {
    // Numbers keep every digit: a key of 2^53 + 1 must find its own letter, not a neighbour's.
    const parsed: unknown = JSON.parse(text, (_, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' ? (context?.source ?? String(value)) : value,
    );
    return Array.isArray(parsed) ? parsed : null;
  } catch {
    return null;
  }
}
