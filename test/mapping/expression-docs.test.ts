import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { FUNCTIONS } from '../../src/mapping/expression/functions.ts';
import { MACROS } from '../../src/mapping/expression/macros.ts';
import { check } from './expression-fixture.ts';

const page = readFileSync(new URL('../../docs/expressions.md', import.meta.url), 'utf8');

it('the page about expressions names every function there is', () => {
  const named = [...FUNCTIONS.keys(), ...MACROS, 'has', 'coalesce', 'field', 'matches', 'dyn'];
  expect(named.filter((name) => !new RegExp(`\\b${name}\\(`).test(page))).toEqual([]);
});

it('the page about expressions names no function that there is not', () => {
  const known = new Set([...FUNCTIONS.keys(), ...MACROS, 'has', 'coalesce', 'field', 'matches', 'dyn']);
  const named = [...page.matchAll(/`[^`\n]*`/g)].flatMap(([code]) =>
    [...code.matchAll(/\b([A-Za-z_]+)\(/g)].map((match) => match[1] as string),
  );
  expect(named.length).toBeGreaterThan(40);
  expect(named.filter((name) => !known.has(name))).toEqual([]);
});

it('the page about expressions shows constants that compile', () => {
  for (const text of [
    'timestamp("2026-11-24T10:00:00Z")',
    'datetime("2026-11-24 10:00:00")',
    'date("2026-11-24")',
    'time("10:00:00")',
    'decimal("1.50")',
    'duration("1h30m")',
    "r'\\d'",
    "b'abc'",
  ]) {
    expect(page).toContain(text);
    expect(() => check(text)).not.toThrow();
  }
});
