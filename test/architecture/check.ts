import { posix } from 'node:path';
import { isBuiltin } from 'node:module';
import { cyclesIn } from './cycles.ts';
import { definesConnector, importsOf } from './imports.ts';
import {
  allowedFor,
  CONNECTOR_INDEX,
  COMPUTED_IMPORTS,
  EMPTY_NAMES,
  INDEX_FILES,
  MAX_LINES,
  placeOf,
  PURE,
  PURE_MODULES,
} from './layers.ts';

/** Source text by path from the root of the project, with `/`. */
export type Sources = ReadonlyMap<string, string>;

/** Every rule that the files break, one line each: `path: what`. */
export function checkArchitecture(files: Sources): string[] {
  const edges = new Map<string, string[]>();
  const problems: string[] = [];
  for (const [path, source] of files) {
    const report = (problem: string) => void problems.push(`${path}: ${problem}`);
    checkFile(path, source, report);
    const inside = isLayered(path) ? checkImports(path, source, files, report) : [];
    edges.set(path, inside);
  }
  for (const cycle of cyclesIn(edges)) problems.push(`${cycle[0]}: is in an import cycle: ${cycle.join(' → ')}`);
  return problems;
}

const isLayered = (path: string) => path.startsWith('src/') || path.startsWith('connectors/');

function checkFile(path: string, source: string, report: (problem: string) => void): void {
  const lines = source.split('\n').length - 1;
  if (lines > MAX_LINES) report(`has ${lines} lines, more than ${MAX_LINES}`);
  const words = path.replace(/(\.test|\.soak)?\.ts$/, '').split(/[/\-.]/);
  const empty = words.find((word) => EMPTY_NAMES.test(word));
  if (empty !== undefined) report(`is called '${empty}', which says nothing about what is in it`);
  if (isLayered(path) && posix.basename(path) === 'index.ts' && isBarrel(path, source))
    report('is a barrel; import from the files themselves');
}

function isBarrel(path: string, source: string): boolean {
  if (INDEX_FILES.includes(path)) return false;
  return !CONNECTOR_INDEX.test(path) || !definesConnector(source);
}

/** @returns the project's own files that this one imports */
function checkImports(path: string, source: string, files: Sources, report: (problem: string) => void): string[] {
  const place = placeOf(path);
  const allowed = allowedFor(place);
  if (allowed === undefined) report(`belongs to '${place}', which has no layer yet; add it to test/architecture/layers.ts`);
  const inside: string[] = [];
  for (const specifier of importsOf(source)) {
    if (specifier === null) {
      if (!COMPUTED_IMPORTS.includes(place)) report('imports something computed; only plugins are loaded by a name that is not known here');
    } else if (/^\.{1,2}\//.test(specifier)) {
      const target = posix.join(posix.dirname(path), specifier);
      if (!/\.(ts|json)$/.test(specifier)) report(`imports '${specifier}' without its extension .ts`);
      else if (specifier.endsWith('.ts') && !files.has(target)) report(`imports '${specifier}', which does not exist`);
      else if (!mayImport(place, target, allowed ?? [])) report(`imports ${target}, which '${place}' may not`);
      inside.push(target);
    } else checkPackage(place, specifier, report);
  }
  return inside;
}

function mayImport(place: string, target: string, allowed: readonly string[]): boolean {
  if (target === 'src/errors.ts' && !place.startsWith('connectors')) return true; // Connectors get it from the barrel, as third parties do.
  const targetPlace = placeOf(target);
  if (targetPlace === place || allowed.includes(targetPlace)) return true;
  return allowed.includes('connectors') && targetPlace.startsWith('connectors/'); // The lazy table.
}

function checkPackage(place: string, specifier: string, report: (problem: string) => void): void {
  if (specifier === 'trueup' || specifier.startsWith('trueup/')) report(`imports '${specifier}'; inside the project use relative paths`);
  const builtin = isBuiltin(specifier);
  if (builtin && !specifier.startsWith('node:')) report(`imports '${specifier}'; write 'node:${specifier}'`);
  if (builtin && PURE.includes(place) && !PURE_MODULES.includes(specifier)) report(`imports '${specifier}', but '${place}' does no I/O`);
}
