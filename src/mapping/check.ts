import type { OnLoss } from '../model/contracts.ts';
import type { Diagnostic } from '../model/diagnostic.ts';
import type { Json } from '../model/json.ts';
import type { Field } from '../model/logical-type.ts';
import type { Shape } from '../model/shape.ts';
import { keyNames } from '../model/shape.ts';
import { report } from './check-context.ts';
import type { CheckContext } from './check-context.ts';
import { checkField } from './check-field.ts';
import { checkFilter } from './check-filter.ts';
import { checkKey } from './check-key.ts';
import { checkDrop, checkOthers } from './check-others.ts';
import { checkUnwind } from './check-unwind.ts';
import type { CheckedField } from './checked-field.ts';
import { hashInput } from './hash-input.ts';
import type { ParsedMapping } from './parse.ts';
import type { FilterPlan, MappingPlan, UnwindPlan } from './plan.ts';

export interface CheckRequest {
  /** `null`: every field under its own name. */
  readonly mapping: ParsedMapping | null;
  /** For messages. */
  readonly stream: string;
  /** All fields of the source; its key is the key of the source. */
  readonly source: Shape;
  /** Replaces `${NAME}` and `${file:PATH}`; throws `E_CONFIG_SECRET`. */
  readonly secrets: (text: string) => string;
  /** Of the job. Named as an example where a zone is missing; never used by itself. */
  readonly timezone: string;
  readonly onLoss: OnLoss;
  /** Of the stream in the config. */
  readonly where?: string;
  readonly deletesWhen?: string;
  readonly onExit: 'delete' | 'keep';
  /** What `embed` adds: fields of the target that are read beside the source's own, and the source fields that finding them takes. */
  readonly embedded?: { readonly fields: readonly CheckedField[]; readonly reads: readonly string[] };
  /** Where the stream stands in the config. */
  readonly at: { readonly file: string; readonly line: number; readonly column: number };
}

export interface CheckResult {
  /** `null`: there are errors. */
  readonly plan: MappingPlan | null;
  readonly diagnostics: readonly Diagnostic[];
}

const NOTHING: Omit<ParsedMapping, 'file' | 'at'> = {
  text: '',
  where: null,
  fields: null,
  key: null,
  otherFields: null,
  drop: [],
  unwind: [],
  embeds: [],
  data: {},
};

/** Checks a mapping against the fields of its stream. All problems at once, each at its place. */
export function checkMapping(request: CheckRequest): CheckResult {
  const { at, stream, source, secrets, timezone, onLoss } = request;
  const atConfig: ParsedMapping = { ...NOTHING, file: at.file, at: () => at };
  const diagnostics: Diagnostic[] = [];
  const shared = { stream, source, secrets, timezone, onLoss, diagnostics };
  const config: CheckContext = { ...shared, mapping: atConfig };
  const context: CheckContext = request.mapping === null ? config : { ...shared, mapping: request.mapping };
  const draft = checkParts(context, config, request);
  const failed = diagnostics.some((diagnostic) => diagnostic.severity === 'error');
  return {
    plan: failed ? null : Object.freeze(assemble(context, draft, request)),
    diagnostics: diagnostics.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column),
  };
}

interface Draft {
  readonly fields: readonly CheckedField[];
  readonly key: readonly number[];
  readonly readsAll: boolean;
  readonly where: readonly FilterPlan[];
  readonly deletesWhen: FilterPlan | null;
  readonly unwind: readonly UnwindPlan[];
}

function checkParts(context: CheckContext, config: CheckContext, request: CheckRequest): Draft {
  const { mapping } = context;
  const forms = mapping.fields ?? [];
  const named = forms.flatMap(({ name, form }) => checkField(context, name, form) ?? []);
  const embedded = request.embedded?.fields ?? [];
  const others = checkOthers(context, [...named, ...embedded]);
  const fields = [...named, ...embedded, ...others.fields];
  const where = [
    checkFilter(context, mapping.where, { path: ['where'], label: 'where' }),
    checkFilter(config, request.where, { path: [], label: 'where' }),
  ].filter((filter) => filter !== null);
  const deletesWhen = checkFilter(config, request.deletesWhen, { path: [], label: 'deletes.when' });
  const unwind = checkUnwind(context, mapping.unwind, {
    shape: context.source,
    element: null,
    sourceKey: keyNames(context.source),
    positions: [],
  });
  const filters = [...where, ...(deletesWhen === null ? [] : [deletesWhen])];
  checkDrop(context, readNames([...fields, ...unwound(unwind)], filters, request.embedded?.reads ?? []));
  if (fields.length === 0 && forms.length === 0 && mapping.fields !== null)
    report(context, { path: ['fields'], part: 'key', message: "'fields' names no field" });
  // A field with a problem of its own would only look like a missing key.
  const key = named.length === forms.length ? checkKey(context, fields) : [];
  return { fields, key, readsAll: others.readsAll, where, deletesWhen, unwind };
}

/** What child tables look at. */
function unwound(unwind: readonly UnwindPlan[]): readonly Pick<CheckedField, 'sources'>[] {
  return unwind.map(({ carries }) => ({ sources: carries }));
}

function readNames(fields: readonly Pick<CheckedField, 'sources'>[], filters: readonly FilterPlan[], key: readonly string[]): Set<string> {
  return new Set([...key, ...fields.flatMap((one) => one.sources), ...filters.flatMap((filter) => filter.reads)]);
}

function assemble(
  { mapping, source, stream }: CheckContext,
  { fields, key, readsAll, where, deletesWhen, unwind }: Draft,
  request: CheckRequest,
): MappingPlan {
  const filters = deletesWhen === null ? where : [...where, deletesWhen];
  const { fields: embedded = [], reads: embeddedReads = [] } = request.embedded ?? {};
  const needed = readNames([...fields, ...unwound(unwind)], filters, [...keyNames(source), ...embeddedReads]);
  return {
    stream,
    shape: {
      fields: fields.map((one, index) => mappedField(one, key.includes(index))),
      key,
      open: source.open && fields.at(-1)?.field.name === '*',
    },
    fields: fields.map((one) => one.plan),
    sources: fields.map((one) => one.sources),
    onLoss: fields.map((one) => one.onLoss),
    reads: readsAll ? null : source.fields.map((field) => field.name).filter((name) => needed.has(name)),
    except: mapping.drop,
    where,
    deletesWhen,
    onExit: request.onExit,
    unwind,
    projection: filters.length === 0 && embedded.length === 0 && fields.every((one) => one.plan.kind === 'copy'),
    hashInput: hashInput(request.mapping, filters) satisfies Json,
  };
}

/** A computed key is never NULL: a record whose key would be is a dead letter. */
function mappedField({ field, plan }: CheckedField, inKey: boolean): Field {
  return inKey && plan.kind !== 'copy' ? { ...field, nullable: false } : field;
}
