import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Connector } from '../model/connector.ts';
import { knownNames } from '../model/suggest.ts';
import { importModule, thrownText } from './import-module.ts';

/*
 * Finding connectors: a built-in name, the path of a module, or the name of an npm package, which is looked for from the folder of the
 * config and not from where trueup is installed.
 */

/** A literal lazy table: nothing is loaded before it is asked for. */
export type BuiltInConnectors = Readonly<Record<string, () => Promise<{ readonly default: Connector }>>>;

export type FoundConnector =
  | { readonly connector: Connector; /** Built-in name, or absolute path of the module. */ readonly resolved: string }
  | { readonly problem: string };

/** @param reference what stands behind `connector:` · @param baseDir folder that paths and packages are looked for from */
export type LoadConnector = (reference: string, baseDir: string) => Promise<FoundConnector>;

/** Loads each module once. Problems are sentences; nothing throws. */
export function createConnectorLoader(builtIn: BuiltInConnectors): LoadConnector {
  const loaded = new Map<string, Promise<FoundConnector>>();
  return (reference, baseDir) => {
    const key = Object.hasOwn(builtIn, reference) ? reference : `${reference}\0${baseDir}`;
    const found = loaded.get(key) ?? loadConnector(reference, baseDir, builtIn);
    loaded.set(key, found);
    return found;
  };
}

async function loadConnector(reference: string, baseDir: string, builtIn: BuiltInConnectors): Promise<FoundConnector> {
  const load = Object.hasOwn(builtIn, reference) ? builtIn[reference] : undefined;
  if (load !== undefined) return loadBuiltIn(reference, load);
  const found = isPath(reference) ? findModule(reference, baseDir) : findPackage(reference, baseDir, Object.keys(builtIn));
  if ('problem' in found) return found;
  const module = await importModule(found.file);
  if ('problem' in module) return { problem: `connector '${reference}' failed to load: ${module.problem}` };
  const connector = module.exports['default'] ?? module.exports['connector'];
  const wrong = contractProblem(connector, Object.keys(module.exports));
  return wrong === null ? { connector: connector as Connector, resolved: found.file } : { problem: `'${reference}' ${wrong}` };
}

async function loadBuiltIn(name: string, load: () => Promise<{ readonly default: Connector }>): Promise<FoundConnector> {
  try {
    return { connector: (await load()).default, resolved: name };
  } catch (error) {
    return { problem: `connector '${name}' failed to load: ${thrownText(error)}` };
  }
}

function isPath(reference: string): boolean {
  return /^\.{1,2}[/\\]/.test(reference) || isAbsolute(reference) || reference.startsWith('file:');
}

function findModule(reference: string, baseDir: string): { readonly file: string } | { readonly problem: string } {
  const file = reference.startsWith('file:') ? fileUrlPath(reference) : resolve(baseDir, reference);
  if (file === null) return { problem: `connector '${reference}' is no valid file URL` };
  if (existsSync(file))
    return statSync(file).isFile() ? { file } : { problem: `connector '${reference}' is a folder (${file}); name the module in it` };
  const near = ['.ts', '.js', '.mjs', '/index.ts', '/index.js'].find((ending) => existsSync(file + ending));
  return {
    problem: `there is no connector '${reference}' (looked at ${file})${near === undefined ? '' : `. Did you mean '${reference}${near}'?`}`,
  };
}

function fileUrlPath(url: string): string | null {
  try {
    return fileURLToPath(url);
  } catch {
    return null;
  }
}

function findPackage(
  reference: string,
  baseDir: string,
  builtIn: readonly string[],
): { readonly file: string } | { readonly problem: string } {
  const require = createRequire(join(baseDir, 'trueup.yaml'));
  // `conditions` makes it resolve as `import` would; without, a package that only serves `import` is not found. Not in Node's types.
  const options = { conditions: new Set(['node', 'import', 'module-sync', 'default']) };
  try {
    return { file: require.resolve(reference, options as NodeJS.RequireResolveOptions) };
  } catch {
    const folders = (require.resolve.paths(reference) ?? []).slice(0, 3).join(', ');
    return {
      problem: `unknown connector '${reference}'.${knownNames(reference, [...builtIn].sort())} No npm package of this name either (looked in ${folders}, and above). A path begins with ./`,
    };
  }
}

/** What keeps a value from being a connector, or `null`. */
function contractProblem(value: unknown, exported: readonly string[]): string | null {
  if (value === undefined) {
    return `holds no connector: expected a default export made with defineConnector({ … }), found ${exported.length === 0 ? 'no exports' : exported.join(', ')}`;
  }
  if (typeof value !== 'object' || value === null)
    return `exports ${value === null ? 'null' : `a ${typeof value}`} where a connector was expected, made with defineConnector({ … })`;
  const connector = value as Partial<Record<keyof Connector, unknown>>;
  const missing = [
    typeof connector.name === 'string' && connector.name !== '' ? [] : ['name (text)'],
    isZodObject(connector.options) ? [] : ['options (a zod 4 object schema)'],
    Number.isInteger(connector.cursorVersion) ? [] : ['cursorVersion (a whole number)'],
    [connector.openSource, connector.openTarget, connector.openState].some((open) => typeof open === 'function')
      ? []
      : ['openSource or openTarget (a function)'],
  ].flat();
  return missing.length === 0 ? null : `is no connector: it lacks ${missing.join(', ')}. Make it with defineConnector({ … })`;
}

function isZodObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('_zod' in value) || !('safeParse' in value)) return false;
  return (value as Record<'_zod', { def?: { type?: unknown } }>)['_zod'].def?.type === 'object';
}
