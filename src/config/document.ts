import type { ErrorCode } from '../errors.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { pathText } from './plain-data.ts';
import type { Path } from './plain-data.ts';

/** A config file that was read: plain data, and where each part of it stands. */
export interface ConfigDocument {
  /** Absolute path. */
  readonly file: string;
  /** The path that diagnostics name: from the working folder where that is shorter to read. */
  readonly shownAs: string;
  /** Folder that relative paths start from. */
  readonly baseDir: string;
  readonly kind: 'yaml' | 'module';
  /** As written, `${…}` included. Safe to show but for literal secrets. */
  readonly written: unknown;
  /** With every `${…}` replaced. Never show a value of it. */
  readonly data: unknown;
  /** `pathKey` of every text that had a `${…}` replaced, with the references in it. */
  readonly replaced: ReadonlyMap<string, readonly Reference[]>;
  /** `pathKey` of every text with a `${…}` that has no value: its own problem is known, others at this place are its consequence. */
  readonly unresolved: ReadonlySet<string>;
  /** Line and column, from 1, of a key or its value; of the nearest place around it when there is none. */
  at(path: Path, part: 'key' | 'value'): { readonly line: number; readonly column: number };
}

export interface Reference {
  readonly kind: 'env' | 'file';
  readonly name: string;
  readonly value: string;
}

export interface Finding {
  readonly path: Path;
  readonly part: 'key' | 'value';
  readonly message: string;
  readonly code?: ErrorCode;
  readonly severity?: 'error' | 'warning';
}

/** A problem at a place of the document. In a module, where places have no lines, the message begins with the path. */
export function diagnose(document: Pick<ConfigDocument, 'shownAs' | 'kind' | 'at'>, finding: Finding): Diagnostic {
  const { path, part, message, code = 'E_CONFIG_INVALID', severity = 'error' } = finding;
  const { line, column } = document.at(path, part);
  const where = document.kind === 'module' && path.length > 0 ? `${pathText(path)}: ` : '';
  return { file: document.shownAs, line, column, code, severity, message: where + message };
}
