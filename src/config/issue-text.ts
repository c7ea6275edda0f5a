import type { z } from 'zod';
import { didYouMean } from '../model/suggest.ts';
import { kindOf } from './plain-data.ts';

/*
 * Words for what zod found. A value is shown only where it is one of a few words or a quantity with a unit, and then as it was written,
 * with its `${…}`: never what came out of the environment, never free text, which may be a secret in the wrong place.
 */

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys and values',
  record: 'keys and values',
  null: 'null',
};

const FORMATS: Readonly<Record<string, string>> = {
  url: 'a URL',
  email: 'an e-mail address',
  uuid: 'a UUID',
  datetime: 'an ISO date and time',
  date: 'an ISO date',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
};

export interface Subject {
  /** `'rows'`, with its quotes. */
  readonly name: string;
  /** The value as it stands in the file. */
  readonly written: unknown;
  /** The value must not be shown. */
  readonly secret: boolean;
}

/** One issue as a sentence, without its full stop. */
export function issueText(issue: z.core.$ZodIssue, subject: Subject): string {
  const { name, written } = subject;
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'never') return `${name} is not available yet`;
      if (!issue.message.startsWith('Invalid input')) return `${name} ${issue.message}, not ${kindOf(written)}`;
      return `${name} must be ${expectedText(issue)}, not ${kindOf(written)}`;
    case 'invalid_value':
      return valueText(issue.values.map(String), subject);
    case 'too_small':
      return `${name} ${sizeText('least', issue.origin, Number(issue.minimum))}${shownNumber(subject)}`;
    case 'too_big':
      return `${name} ${sizeText('most', issue.origin, Number(issue.maximum))}${shownNumber(subject)}`;
    case 'invalid_format':
      return formatText(issue, name);
    case 'not_multiple_of':
      return `${name} must be a multiple of ${issue.divisor}`;
    case 'custom':
      return `${name} ${issue.message}${issue.params?.['shows'] === true ? `, not ${shown(subject)}` : ''}`;
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'unrecognized_keys':
      return `${name} is not valid`;
  }
}

/** What an issue at the root of an alternative would have accepted, for "must be A or B". */
export function expectedText(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return EXPECTED[issue.expected] ?? `a ${issue.expected}`;
  if (issue.code === 'invalid_value') return issue.values.map((value) => `'${String(value)}'`).join(' or ');
  return 'something else';
}

/** A scalar in quotes; of anything else, long texts included, its kind. Never a part of a text, which no redactor would know again. */
export function quoted(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value !== 'string' || looksSecret(value)) return kindOf(value);
  const flat = value.replaceAll(/\s+/g, ' ');
  return flat.length > 60 ? `a text of ${value.length} characters` : `'${flat}'`;
}

function shown(subject: Subject): string {
  return subject.secret ? 'what stands there' : quoted(subject.written);
}

function looksSecret(text: string): boolean {
  return /:\/\/|password|secret|token/i.test(text);
}

function valueText(values: readonly string[], subject: Subject): string {
  const { name, written } = subject;
  const list = values.length === 1 ? `'${values[0]}'` : `one of ${values.join(', ')}`;
  const near = typeof written === 'string' ? didYouMean(written, values) : null;
  return `${name} must be ${list}, not ${shown(subject)}${near === null ? '' : `. Did you mean '${near}'?`}`;
}

function sizeText(side: 'least' | 'most', origin: string, limit: number): string {
  if (origin === 'string') return side === 'least' && limit === 1 ? 'must not be empty' : `must have at ${side} ${limit} characters`;
  if (origin === 'array' || origin === 'set' || origin === 'record')
    return `must have at ${side} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  return `must be at ${side} ${limit}`;
}

function shownNumber(subject: Subject): string {
  return typeof subject.written === 'number' ? `, not ${shown(subject)}` : '';
}

function formatText(issue: z.core.$ZodIssueInvalidStringFormat, name: string): string {
  if (!issue.message.startsWith('Invalid')) return `${name} ${issue.message}`;
  const format = FORMATS[issue.format];
  if (format !== undefined) return `${name} must be ${format}`;
  return issue.pattern === undefined ? `${name} is not a valid ${issue.format}` : `${name} must match ${issue.pattern}`;
}
