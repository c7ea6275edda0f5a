import { expect } from 'vitest';

import { TrueupError } from '../../src/errors.ts';
import { checkMapping } from '../../src/mapping/check.ts';
import type { CheckRequest } from '../../src/mapping/check.ts';
import { compileMapping } from '../../src/mapping/compile.ts';
import type { Mapped, Mapper } from '../../src/mapping/mapped.ts';
import { parseMapping } from '../../src/mapping/parse.ts';
import type { MappingPlan } from '../../src/mapping/plan.ts';
import type { Cell, Row } from '../../src/model/cell.ts';
import { OP } from '../../src/model/change.ts';
import type { Op } from '../../src/model/change.ts';
import type { Batch } from '../../src/model/contracts.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { cellRecords } from '../../src/model/records.ts';
import type { Decode } from '../../src/model/records.ts';
import type { Shape } from '../../src/model/shape.ts';

export const SECRETS: Readonly<Record<string, string>> = { KEY: 'the key', OTHER: 'another key' };

export function secrets(text: string): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (found, name: string) => {
    const value = SECRETS[name];
    if (value === undefined) throw new TrueupError('E_CONFIG_SECRET', `environment variable ${name} is not set`);
    return found === '' ? '' : value;
  });
}

/** Fields by name; the first is the key unless `key` says otherwise. */
export function shapeOf(fields: Readonly<Record<string, LogicalType>>, key: readonly string[] = Object.keys(fields).slice(0, 1)): Shape {
  const names = Object.keys(fields);
  return {
    fields: names.map((name) => ({ name, type: fields[name] as LogicalType, nullable: !key.includes(name) })),
    key: key.map((name) => names.indexOf(name)),
    open: false,
  };
}

export function check(text: string | null, source: Shape, options: Partial<CheckRequest> = {}) {
  const parsed = text === null ? { mapping: null, diagnostics: [] } : parseMapping({ file: 'm.yaml', text });
  if (text !== null && parsed.mapping === null)
    return { plan: null, problems: parsed.diagnostics.map(diagnosticText), diagnostics: parsed.diagnostics };
  const { plan, diagnostics } = checkMapping({
    mapping: parsed.mapping,
    stream: 'orders',
    source,
    secrets,
    timezone: 'Europe/Berlin',
    onLoss: 'error',
    onExit: 'delete',
    at: { file: 'trueup.yaml', line: 7, column: 9 },
    ...options,
  });
  return { plan, problems: diagnostics.map(diagnosticText), diagnostics };
}

export interface Mapping {
  readonly plan: MappingPlan;
  readonly mapper: Mapper;
  map(rows: readonly Row[], options?: MapOptions): Mapped;
  /** The cells of one record by field name; throws its fault. */
  one(cells: Readonly<Record<string, Cell>>): Record<string, Cell>;
  /** The code and message of one record's fault. */
  fault(cells: Readonly<Record<string, Cell>>): string;
}

export interface MapOptions {
  readonly ops?: readonly Op[];
  readonly exits?: boolean;
  readonly decoders?: readonly (Decode | null)[];
}

export function batchOf(shape: Shape, rows: readonly Row[], { ops, decoders }: MapOptions = {}): Batch {
  return {
    stream: 'orders',
    shape,
    records: cellRecords({ rows, bytes: rows.length * 10, ...(decoders === undefined ? {} : { decoders, textDialect: 'postgres' }) }),
    ops: ops === undefined ? null : Uint8Array.from(ops.map((op) => OP[op])),
    distinctKeys: true,
    cursor: 'c',
    position: { text: 'p' },
  };
}

export function mapping(text: string | null, source: Shape, options: Partial<CheckRequest> = {}): Mapping {
  const { plan, problems } = check(text, source, options);
  expect(problems.filter((problem) => !problem.includes('make sure'))).toEqual([]);
  const mapper = compileMapping(plan as MappingPlan, source, options.secrets ?? secrets);
  const rowOf = (cells: Readonly<Record<string, Cell>>): Row =>
    source.fields.map((field) => (Object.hasOwn(cells, field.name) ? cells[field.name] : null));
  const map = (rows: readonly Row[], how: MapOptions = {}): Mapped => mapper.map(batchOf(source, rows, how), { exits: how.exits ?? true });
  return {
    plan: plan as MappingPlan,
    mapper,
    map,
    one: (cells) => {
      const { batch, rejected } = map([rowOf(cells)]);
      if (rejected[0] !== undefined) throw new TrueupError(rejected[0].code, rejected[0].message);
      return Object.fromEntries(mapper.shape.fields.map((field, index) => [field.name, batch.records.rows()[0]?.[index]]));
    },
    fault: (cells) => {
      const { rejected } = map([rowOf(cells)]);
      return rejected.length === 0 ? 'no fault' : `${rejected[0]?.code}: ${rejected[0]?.message}`;
    },
  };
}
