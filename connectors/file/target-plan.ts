import { stat } from 'node:fs/promises';
import { isTrueupError, typeText } from '../../src/sdk.ts';
import type { ErrorCode, Problem, TargetField, TargetStream, TargetStreamPlan } from '../../src/sdk.ts';
import { openFile } from './opened-file.ts';
import type { FileOptions } from './options.ts';
import { headOfFile } from './table.ts';
import type { TargetFile, TargetPlace } from './target-files.ts';

/** The columns of a new CSV file, in the order of the stream; `op` first. */
export function newColumns({ shape }: TargetStream, { op }: FileOptions): string[] {
  const names = shape.fields.map(({ name }) => name);
  return op === undefined ? names : [op, ...names];
}

/** The columns that a CSV file has. `null`: it is not there, or empty. */
export async function columnsOf(file: TargetFile, options: FileOptions, signal: AbortSignal): Promise<readonly string[] | null> {
  const found = await stat(file.path).catch(() => null);
  if (found === null || found.size === 0) return null;
  if (options.header !== true) return options.header;
  const opened = await openFile(file, signal);
  try {
    const { columns } = (await headOfFile(opened, options, signal)).table;
    return columns === null || columns.length === 0 ? null : columns;
  } finally {
    await opened.close();
  }
}

export async function planStream(
  place: TargetPlace,
  options: FileOptions,
  stream: TargetStream,
  signal: AbortSignal,
): Promise<TargetStreamPlan> {
  const common = { stream: stream.stream, target: stream.target, forms: ['cells' as const], dependsOn: [] };
  try {
    const file = place.fileOf(stream);
    const creates = (await stat(file.path).catch(() => null)) === null;
    const columns = file.format.text === 'csv' ? await columnsOf(file, options, signal) : null;
    const fields = stream.shape.fields.map((field, index) => plannedField(field.name, typeText(field.type), { stream, index, columns }));
    const problems = [...streamProblems(stream, options), ...columnProblems(stream, file, columns, options)];
    return { ...common, fields, statements: creates ? [`create file ${file.path}`] : [], creates, problems };
  } catch (error) {
    if (!isTrueupError(error) || (error.fault !== 'config' && error.fault !== 'access')) throw error;
    return { ...common, fields: [], statements: [], creates: false, problems: [problem(error.code, error.message)] };
  }
}

function plannedField(
  name: string,
  targetType: string,
  { stream, index, columns }: { readonly stream: TargetStream; readonly index: number; readonly columns: readonly string[] | null },
): TargetField {
  const onLoss = stream.onLoss[index] ?? 'error';
  const loss = targetType === 'json' && columns === null && onLoss !== 'error' ? `json null → NULL: ${onLoss}` : undefined;
  const ignored = columns !== null && !columns.includes(name) && stream.drift.add === 'ignore';
  return { name, targetType, ...(loss === undefined ? {} : { loss }), ...(ignored ? { ignored } : {}) };
}

function problem(code: ErrorCode, message: string): Problem {
  return { severity: 'error', code, message };
}

export function streamProblems({ stream, shape, guard, onDelete }: TargetStream, { op }: FileOptions): Problem[] {
  const found: Problem[] = [];
  if (shape.key.length === 0)
    found.push(problem('E_STREAM_KEY', `Stream '${stream}' needs a key: whoever reads the file tells its records apart by it.`));
  if (guard !== undefined)
    found.push(
      problem(
        'E_CONFIG_INVALID',
        `Stream '${stream}': 'guard' compares with what the target holds, and a file that lines are appended to holds nothing to compare with.`,
      ),
    );
  if (typeof onDelete === 'object')
    found.push(
      problem('E_CONFIG_INVALID', `Stream '${stream}': a line of a file cannot be marked as deleted. Set 'op' on the connection instead.`),
    );
  if (op !== undefined && shape.fields.some(({ name }) => name === op))
    found.push(
      problem('E_CONFIG_INVALID', `Stream '${stream}' has a field '${op}' itself, which 'op' of the connection names for what happened.`),
    );
  return found;
}

/** A CSV file has one header, for good. */
function columnProblems(stream: TargetStream, file: TargetFile, columns: readonly string[] | null, { op }: FileOptions): Problem[] {
  if (columns === null) return [];
  const drift = (message: string): Problem => ({ ...problem('E_DRIFT', message) });
  const names = stream.shape.fields.map(({ name }) => name);
  const found: Problem[] = [];
  const added = names.filter((name) => !columns.includes(name));
  if (added.length > 0 && stream.drift.add !== 'ignore')
    found.push(
      drift(
        `File '${file.name}' has no column ${added.map((name) => `'${name}'`).join(', ')}, and the header of a CSV file cannot change. Write to a new file with 'to', leave them out with \`drift: { add: ignore }\`, or write JSON lines.`,
      ),
    );
  const gone = columns.filter((name) => !names.includes(name) && name !== op);
  if (gone.length > 0 && stream.drift.drop === 'stop')
    found.push(drift(`File '${file.name}' has ${gone.join(', ')}, which the stream no longer has, and \`drift.drop\` is stop.`));
  if (op !== undefined && !columns.includes(op))
    found.push(drift(`File '${file.name}' has no column '${op}', which 'op' of the connection names.`));
  return found;
}
