import { tokenize } from './tokens.ts';
import type { Token } from './tokens.ts';

/** What a file imports, types and dynamic imports included. `null`: an `import()` of something computed. */
export function importsOf(source: string): (string | null)[] {
  const tokens = tokenize(source);
  return tokens.flatMap((token, index) => {
    if (token.kind !== 'name' || isText(tokens[index - 1], '.')) return [];
    if (token.text === 'import') return importAt(tokens, index + 1);
    if (token.text === 'export') return exportAt(tokens, index + 1);
    return [];
  });
}

/** Whether a file holds a connector of its own, and does not only pass on what others export. */
export function definesConnector(source: string): boolean {
  const tokens = tokenize(source);
  return tokens.some((token, index) => isText(token, 'defineConnector') && isText(tokens[index + 1], '('));
}

function importAt(tokens: readonly Token[], index: number): (string | null)[] {
  const next = tokens[index];
  if (next?.kind === 'string') return [next.text]; // import './x.ts'
  if (isText(next, '(')) {
    const argument = tokens[index + 1];
    const literal = argument?.kind === 'string' && (isText(tokens[index + 2], ')') || isText(tokens[index + 2], ','));
    return [literal ? argument.text : null];
  }
  // import.meta, or a property of that name
  if (next === undefined || isText(next, '.') || isText(next, ':')) return [];
  return specifierAfterFrom(tokens, index);
}

/** `export … from`, as opposed to the export of something declared here. */
function exportAt(tokens: readonly Token[], index: number): string[] {
  const start = isText(tokens[index], 'type') ? index + 1 : index;
  return isText(tokens[start], '{') || isText(tokens[start], '*') ? specifierAfterFrom(tokens, start) : [];
}

/** Past the clause, which holds names, commas, braces and a star only; so a `from` further on is never taken for this one's. */
function specifierAfterFrom(tokens: readonly Token[], start: number): string[] {
  for (let index = start; index < tokens.length; index++) {
    const token = tokens[index];
    const next = tokens[index + 1];
    if (isText(token, 'from') && next?.kind === 'string') return [next.text];
    const partOfClause =
      token?.kind === 'name' ||
      token?.kind === 'string' ||
      isText(token, '{') ||
      isText(token, '}') ||
      isText(token, ',') ||
      isText(token, '*');
    if (!partOfClause) return [];
  }
  return [];
}

function isText(token: Token | undefined, text: string): boolean {
  return token !== undefined && token.kind !== 'string' && token.text === text;
}
