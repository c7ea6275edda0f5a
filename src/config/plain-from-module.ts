import { thrownText } from './import-module.ts';
import { pathText } from './plain-data.ts';
import type { Path } from './plain-data.ts';

const MAX_DEPTH = 100;

/** Says what is wrong with the value; caught below. */
class NotPlain extends Error {}

/**
 * The default export of a config module as plain data, or what is wrong with it. Members that are `undefined` count as absent; functions,
 * dates, class instances and cycles are refused, because nothing of them would survive.
 */
export function plainFromModule(exports: Readonly<Record<string, unknown>>): { readonly data: unknown } | { readonly problem: string } {
  const names = Object.keys(exports);
  if (!names.includes('default')) {
    const found = names.length === 0 ? 'nothing' : names.join(', ');
    return { problem: `the config module has no default export (it exports ${found}). Expected \`export default defineConfig({ … })\`` };
  }
  const value = exports['default'];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return {
      problem: `the default export of the config module is ${value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`}. Expected \`export default defineConfig({ … })\``,
    };
  }
  try {
    return { data: plain(value, [], []) };
  } catch (error) {
    return {
      problem: error instanceof NotPlain ? error.message : `the default export of the config module cannot be read: ${thrownText(error)}`,
    };
  }
}

function plain(value: unknown, path: Path, parents: readonly object[]): unknown {
  if (value === null || ['string', 'number', 'boolean', 'bigint', 'undefined'].includes(typeof value)) return value;
  if (typeof value !== 'object') throw new NotPlain(`${place(path)} is a ${typeof value}; a config holds plain data only`);
  if (parents.includes(value)) throw new NotPlain(`${place(path)} refers back to a value that it is part of`);
  if (parents.length > MAX_DEPTH) throw new NotPlain(`${place(path)} is nested deeper than ${MAX_DEPTH} levels`);
  const within = [...parents, value];
  if (Array.isArray(value)) return value.map((item, index) => plain(item, [...path, index], within));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new NotPlain(`${place(path)} is a ${value.constructor.name}; a config holds plain data only`);
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(members.map(([key, item]) => [key, plain(item, [...path, key], within)]));
}

function place(path: Path): string {
  return path.length === 0 ? 'the default export' : `'${pathText(path).slice(0, 200)}'`;
}
