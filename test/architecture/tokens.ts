/** A name, a string (without quotes) or one character of punctuation. Comments, regular expressions and the text of templates are left out. */
export interface Token {
  readonly kind: 'name' | 'string' | 'punctuation';
  readonly text: string;
}

/** After these a slash begins a regular expression, not a division. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
  'delete',
  'throw',
  'new',
  'await',
  'yield',
  'instanceof',
]);

/** Splits TypeScript into tokens, well enough to find its imports: a text search would take those in comments and strings for real. */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  // One entry per open `${` of a template: how many braces are open inside it.
  const templates: number[] = [];
  let at = 0;

  const skip = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0] ?? source.charAt(at);
    at += text.length;
    return text;
  };
  const template = () => {
    if (skip(/(?:\\[^]|\$(?!\{)|[^\\`$])*(?:`|\$\{)/y).endsWith('${')) templates.push(0);
  };
  const punctuation = () => {
    const text = source.charAt(at++);
    const open = templates.at(-1);
    if (text === '{' && open !== undefined) templates[templates.length - 1] = open + 1;
    if (text === '}' && open === 0) {
      templates.pop();
      return template();
    }
    if (text === '}' && open !== undefined) templates[templates.length - 1] = open - 1;
    tokens.push({ kind: 'punctuation', text });
  };

  while (at < source.length) {
    const char = source.charAt(at);
    if (/\s/.test(char)) skip(/\s+/y);
    else if (source.startsWith('//', at) || (at === 0 && source.startsWith('#!'))) skip(/[^\n]*/y);
    else if (source.startsWith('/*', at)) skip(/\/\*[^]*?\*\//y);
    else if (char === '/' && beginsRegex(tokens.at(-1))) skip(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*/y);
    else if (char === "'" || char === '"') {
      const text = skip(char === "'" ? /'(?:\\[^]|[^'\\\n])*'/y : /"(?:\\[^]|[^"\\\n])*"/y);
      tokens.push({ kind: 'string', text: text.slice(1, -1) });
    } else if (char === '`') {
      at++;
      template();
    } else if (/[\w$#\u0080-\uffff]/.test(char)) tokens.push({ kind: 'name', text: skip(/[\w$#\u0080-\uffff]+/y) });
    else punctuation();
  }
  return tokens;
}

function beginsRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === 'name') return BEFORE_REGEX.has(before.text);
  return before.kind === 'punctuation' && !')]}'.includes(before.text);
}
