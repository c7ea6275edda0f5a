import { TrueupError } from '../errors.ts';
import type { Cell, Row } from '../model/cell.ts';
import { OP } from '../model/change.ts';
import type { Batch } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import { cellRecords } from '../model/records.ts';
import type { Shape } from '../model/shape.ts';
import { checkMapping } from './check.ts';
import { compileMapping } from './compile.ts';
import type { Mapped, Mapper } from './mapped.ts';
import { parseCases } from './parse-cases.ts';
import type { MappingCase } from './parse-cases.ts';
import { rowDifference } from './row-difference.ts';
import { parseMapping } from './parse.ts';
import type { MappingPlan } from './plan.ts';

export interface CaseResult {
  readonly name: string;
  readonly passed: boolean;
  /** What was expected and what came, when it did not pass. */
  readonly message?: string;
}

export interface CasesResult {
  readonly cases: readonly CaseResult[];
  /** Problems of the mapping or of the case file; with errors no case ran. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface CasesRequest {
  /** `mappings/orders.test.yaml` and its text. */
  readonly file: string;
  readonly text: string;
  readonly mapping: { readonly file: string; readonly text: string };
  /** Replaces references that the case file gives no value for. Absent: those have none. */
  readonly secrets?: (text: string) => string;
}

/** Runs the cases of a mapping through the same code that maps real records. */
export function runCases(request: CasesRequest): CasesResult {
  const cases = parseCases({ file: request.file, text: request.text });
  const mapping = parseMapping(request.mapping);
  if (cases.file === null || mapping.mapping === null) return { cases: [], diagnostics: [...mapping.diagnostics, ...cases.diagnostics] };
  const { source, stream, where, deletesWhen, onExit } = cases.file;
  const secrets = withSecrets(cases.file.secrets, request.secrets);
  const checked = checkMapping({
    mapping: mapping.mapping,
    stream,
    source,
    secrets,
    timezone: 'UTC',
    onLoss: cases.file.onLoss,
    ...(where === null ? {} : { where }),
    ...(deletesWhen === null ? {} : { deletesWhen }),
    onExit,
    at: { file: request.file, line: 1, column: 1 },
  });
  const diagnostics = [...cases.diagnostics, ...checked.diagnostics];
  const { plan } = checked;
  if (plan === null) return { cases: [], diagnostics };
  const mapper = compileMapping(plan, source, secrets);
  return { cases: cases.file.cases.map((one) => runCase(mapper, { plan, source, one })), diagnostics };
}

/** Values that the case file gives come first, so that cases run the same everywhere. What is put in is not looked at again. */
function withSecrets(given: ReadonlyMap<string, string>, otherwise: (text: string) => string = missing): (text: string) => string {
  return (text) =>
    text.replaceAll(/\$\$\{|\$\{([^}]*)\}/g, (reference, name: string | undefined) =>
      name === undefined ? '${' : (given.get(name) ?? otherwise(reference)),
    );
}

function missing(reference: string): string {
  throw new TrueupError('E_CONFIG_SECRET', `'secrets' of the case file gives no value for ${reference}`);
}

interface CaseToRun {
  readonly plan: MappingPlan;
  readonly source: Shape;
  readonly one: MappingCase;
}

function runCase(mapper: Mapper, { plan, source, one }: CaseToRun): CaseResult {
  const mapped = mapper.map(batchOf(one, source, plan.stream));
  const message = unmet(mapped, plan.shape, one);
  return message === null ? { name: one.name, passed: true } : { name: one.name, passed: false, message };
}

function batchOf(one: MappingCase, shape: Shape, stream: string): Batch {
  const absent: Cell = one.op === 'upsert' ? null : undefined;
  const row: Row = shape.fields.map((field) => (one.input.has(field.name) ? (one.input.get(field.name) as Cell) : absent));
  const records = cellRecords({ rows: [row], bytes: 100 });
  return { stream, shape, records, ops: Uint8Array.of(OP[one.op]), distinctKeys: true, cursor: null, position: { text: 'case' } };
}

/** Why the outcome is not the expected one, or `null`. */
function unmet(mapped: Mapped, shape: Shape, { expect }: MappingCase): string | null {
  const got = outcome(mapped);
  if (expect.kind === 'row' && got.kind === 'row') return rowDifference(shape, expect.row, got.row);
  if (expect.kind !== got.kind)
    return `expected ${wordFor(expect.kind)}, got ${wordFor(got.kind)}${got.kind === 'fault' ? ` [${got.code}] ${got.message}` : ''}`;
  if (expect.kind === 'fault' && got.kind === 'fault' && expect.code !== got.code)
    return `expected ${expect.code}, got [${got.code}] ${got.message}`;
  return null;
}

type Outcome =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'filtered' | 'delete' | 'look-up' }
  | { readonly kind: 'fault'; readonly code: string; readonly message: string };

function outcome({ batch, rejected, touches, exits, filtered }: Mapped): Outcome {
  const [fault] = rejected;
  if (fault !== undefined) return { kind: 'fault', code: fault.code, message: fault.message };
  if (touches.length > 0) return { kind: 'look-up' };
  if (filtered > 0 || exits > 0) return { kind: 'filtered' };
  const [row = []] = batch.records.rows();
  return batch.ops?.[0] === OP.delete ? { kind: 'delete' } : { kind: 'row', row };
}

function wordFor(kind: Outcome['kind']): string {
  return {
    row: 'a row',
    filtered: 'the record to be left out by `where`',
    delete: 'a delete',
    'look-up': 'the record to be looked up again',
    fault: 'a fault',
  }[kind];
}
