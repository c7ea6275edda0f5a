import type { z } from 'zod';
import { didYouMean } from '../model/suggest.ts';

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
};

/** What zod found, as a sentence that names the key. Shows single words only. */
export function issueText(issue: z.core.$ZodIssue, path: readonly (string | number)[], value: unknown): string {
  const name = `'${path.filter((part) => typeof part === 'string').at(-1) ?? 'value'}'`;
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return `${name} is missing`;
      return `${name} must be ${EXPECTED[issue.expected] ?? issue.expected}, not ${kindOf(value)}`;
    case 'invalid_value':
      return choiceText(name, issue.values.map(String), value);
    case 'too_small':
    case 'too_big':
      return sizeText(name, issue);
    case 'invalid_union':
      return choiceText(name, unionWords(issue), value);
    default:
      return `${name} is not valid`;
  }
}

function choiceText(name: string, words: readonly string[], value: unknown): string {
  const meant = typeof value === 'string' ? didYouMean(value, words) : null;
  const got = typeof value === 'string' && value.length <= 40 ? `'${value}'` : kindOf(value);
  const expected = words.length === 0 ? 'a text, number, true, false or null' : words.join(', ');
  return `${name} must be ${words.length > 1 ? 'one of ' : ''}${expected}, not ${got}${meant === null ? '' : `. Did you mean '${meant}'?`}`;
}

function unionWords(issue: Extract<z.core.$ZodIssue, { code: 'invalid_union' }>): string[] {
  return issue.errors.flatMap((option) =>
    option.flatMap((inner) =>
      inner.code === 'invalid_value'
        ? inner.values.map(String)
        : inner.code === 'invalid_type' && inner.expected === 'object'
          ? ['{ … }']
          : [],
    ),
  );
}

function sizeText(name: string, issue: Extract<z.core.$ZodIssue, { code: 'too_small' | 'too_big' }>): string {
  const limit = issue.code === 'too_small' ? issue.minimum : issue.maximum;
  const side = issue.code === 'too_small' ? 'least' : 'most';
  if (issue.origin === 'string' && side === 'least') return `${name} must not be empty`;
  return issue.origin === 'array' ? `${name} must have at ${side} ${limit} entries` : `${name} must be at ${side} ${limit}`;
}

/** What a value is, without showing it. */
export function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys and values';
  return typeof value === 'string' ? 'text' : typeof value === 'boolean' ? 'true or false' : 'a number';
}
