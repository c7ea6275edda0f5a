/*
 * Names and patterns of streams. A name is parts joined by dots (`schema.table`); a dot inside a part is written `\.`, as is a star that is
 * meant as a star. In a pattern `*` stands for any text within one part and `?` for one character; a lone `*` matches every name.
 */

type Token = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'any' } | { readonly kind: 'one' };

export interface StreamPattern {
  /** One list of single characters and wildcards for each part. */
  readonly parts: readonly (readonly Token[])[];
  readonly wildcard: boolean;
}

export function parsePattern(text: string): StreamPattern | { readonly problem: string } {
  const parts: Token[][] = [[]];
  for (const [token, escaped, plain] of text.matchAll(/\\(.)?|([^\\])/gsu)) {
    const part = parts.at(-1) as Token[];
    if (plain === '.') parts.push([]);
    else if (plain === '*') part.push({ kind: 'any' });
    else if (plain === '?') part.push({ kind: 'one' });
    else if (token === '\\') return { problem: String.raw`ends with a lone backslash; a dot inside a name is written \.` };
    else part.push({ kind: 'text', text: plain ?? (escaped as string) });
  }
  if (parts.some((part) => part.length === 0))
    return { problem: String.raw`has an empty part; expected a name such as public.orders (a dot inside a name is written \.)` };
  return { parts, wildcard: parts.flat().some((token) => token.kind !== 'text') };
}

/** The parts of a stream's name, without escapes. */
export function nameParts(name: string): readonly string[] {
  const parts = [''];
  for (const [, escaped, plain] of name.matchAll(/\\(.)?|([^\\])/gsu)) {
    if (plain === '.') parts.push('');
    else parts[parts.length - 1] += plain ?? escaped ?? '\\';
  }
  return parts;
}

/** A part as it is written inside a name. */
export function escapePart(part: string): string {
  return part.replaceAll(/[\\.]/g, String.raw`\$&`);
}

export function matches(pattern: StreamPattern, name: string): boolean {
  const names = nameParts(name);
  const [only] = pattern.parts;
  if (pattern.parts.length === 1 && only?.length === 1 && only[0]?.kind === 'any') return true;
  return (
    names.length === pattern.parts.length && pattern.parts.every((part, index) => matchesPart(part, Array.from(names[index] as string)))
  );
}

/** Linear in practice: on a mismatch only the last star takes one character more. */
function matchesPart(tokens: readonly Token[], characters: readonly string[]): boolean {
  let [token, character, star, starAt] = [0, 0, -1, 0];
  while (character < characters.length) {
    const next = tokens[token];
    if (next?.kind === 'any') {
      [star, starAt] = [token, character];
      token++;
    } else if (next !== undefined && (next.kind === 'one' || next.text === characters[character])) {
      token++;
      character++;
    } else if (star >= 0) {
      token = star + 1;
      starAt++;
      character = starAt;
    } else {
      return false;
    }
  }
  return tokens.slice(token).every((rest) => rest.kind === 'any');
}
