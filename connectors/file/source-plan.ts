import { isTrueupError } from '../../src/sdk.ts';
import type { ErrorCode, Problem, Shape, SourceStreamPlan, StreamInfo, StreamRef } from '../../src/sdk.ts';
import { STDIN } from './catalog.ts';
import type { FileStream } from './catalog.ts';
import { escapeDots } from './escape-dots.ts';
import { withoutEnds } from './format.ts';
import { guaranteeOf } from './guarantee.ts';
import { wholeShape } from './knowledge.ts';
import type { SourceContext } from './source-context.ts';
import { headOfFile, isComplete } from './table.ts';

const NO_SHAPE: Shape = { fields: [], key: [], open: false };

type Queries = readonly { readonly name: string; readonly query: string }[];

export async function discoverStreams(context: SourceContext, queries: Queries, signal: AbortSignal): Promise<StreamInfo[]> {
  const streams = await context.catalog.streams(signal);
  const asked = await Promise.all(queries.map(({ name, query }) => context.stream(name, query, signal)));
  const infos: StreamInfo[] = [];
  for (const stream of streams) infos.push(await describe(context, stream, { kind: 'file', signal }));
  for (const stream of asked) infos.push(await describe(context, stream, { kind: 'query', signal }));
  return infos;
}

/** What is wrong with one file must not hide the others. */
async function describe(
  context: SourceContext,
  stream: FileStream,
  { kind, signal }: { readonly kind: 'file' | 'query'; readonly signal: AbortSignal },
): Promise<StreamInfo> {
  const { name } = stream;
  const common = { name, kind, plainName: name === STDIN ? 'stdin' : escapeDots(withoutEnds(name)), changes: changesOf(context) } as const;
  try {
    const knowledge = await context.knowledge(stream, signal);
    const shape = wholeShape(knowledge);
    return {
      ...common,
      shape,
      ...(shape.fields.length > 0 ? {} : { unreadable: `'${stream.files}' holds no record yet, and its fields are not declared` }),
    };
  } catch (error) {
    if (!isTrueupError(error) || !['config', 'access', 'limit'].includes(error.fault)) throw error;
    return { ...common, shape: NO_SHAPE, unreadable: error.message };
  }
}

function changesOf({ catalog }: SourceContext): StreamInfo['changes'] {
  return catalog.path === STDIN ? [{ by: 'log' }] : [{ by: 'log' }, { by: 'snapshot' }];
}

export async function planStreams(context: SourceContext, refs: readonly StreamRef[], signal: AbortSignal): Promise<SourceStreamPlan[]> {
  const plans: SourceStreamPlan[] = [];
  for (const ref of refs) plans.push(await planStream(context, ref, signal));
  return plans;
}

async function planStream(context: SourceContext, ref: StreamRef, signal: AbortSignal): Promise<SourceStreamPlan> {
  const stdin = context.catalog.path === STDIN;
  const common = { stream: ref.name, forms: ['cells' as const], statements: [] };
  try {
    const stream = await context.stream(ref.name, ref.query, signal);
    const guarantee = guaranteeOf({ name: ref.name, by: ref.changes.by, op: stream.op, stdin });
    const { shape } = await context.view(ref, signal);
    const problems = [...refProblems(context, ref), ...(await fileProblems(context, stream, signal))];
    return { ...common, guarantee, shape, problems };
  } catch (error) {
    if (!isTrueupError(error) || !['config', 'access', 'limit'].includes(error.fault)) throw error;
    const guarantee = { lateCommits: 'lost', deletes: 'never', assumes: [] } as const;
    return { ...common, guarantee, shape: NO_SHAPE, problems: [problem(error.code, error.message)] };
  }
}

function problem(code: ErrorCode, message: string): Problem {
  return { severity: 'error', code, message };
}

function refProblems({ catalog }: SourceContext, { name, key, changes, where }: StreamRef): Problem[] {
  const offered = catalog.path === STDIN ? ['log'] : ['log', 'snapshot'];
  return [
    ...(key.length > 0 ? [] : [problem('E_STREAM_KEY', `Stream '${name}' has no key; name one with \`key: [...]\`.`)]),
    ...(offered.includes(changes.by)
      ? []
      : [problem('E_CHANGES_UNSUPPORTED', `Stream '${name}': '${changes.by}' is not offered. Methods: ${offered.join(', ')}.`)]),
    ...(where === undefined
      ? []
      : [problem('E_CHANGES_UNSUPPORTED', `Stream '${name}' cannot be filtered by its source; use \`where\` of the stream.`)]),
  ];
}

/** A last line that nobody ended would be waited for, and whoever does not know misses it. */
async function fileProblems(context: SourceContext, stream: FileStream, signal: AbortSignal): Promise<Problem[]> {
  const files = await context.catalog.files(stream, signal);
  if (files.length === 0) return [{ severity: 'warning', code: 'E_STREAM_UNKNOWN', message: `No file is called '${stream.files}' yet.` }];
  const found: Problem[] = [];
  for (const facts of [files.at(-1)]) {
    if (facts === undefined || facts.name === STDIN) continue;
    const file = await context.open(facts, signal);
    try {
      await headOfFile(file, context.options, signal);
      const message = `The last line of '${file.name}' has no line end, so it is waited for. If the file is complete, say \`closed: true\` on the connection.`;
      if (!isComplete(file, context.options) && (await lacksEnd(file.path, file.size)))
        found.push({ severity: 'warning', code: 'E_CHANGES_LIMITED', message });
    } finally {
      await file.close();
    }
  }
  return found;
}

async function lacksEnd(path: string, size: number): Promise<boolean> {
  if (size === 0) return false;
  const { open } = await import('node:fs/promises');
  await using handle = await open(path, 'r');
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== 10;
}
