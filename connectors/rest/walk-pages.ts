import { createHash } from 'node:crypto';
import { TrueupError } from '../../src/sdk.ts';
import type { Cell, ExactJson, HttpAnswer, Log } from '../../src/sdk.ts';
import { askedText, isAbsent, refuseStatus } from './api.ts';
import type { Api } from './api.ts';
import { asking } from './endpoint.ts';
import type { Asking } from './endpoint.ts';
import { FIRST, nextPage, pageRequest, pageText } from './paging.ts';
import type { PageState, Param } from './paging.ts';
import { readAnswer } from './read-answer.ts';
import type { AnswerRecord } from './read-answer.ts';
import type { RestRow } from './record-row.ts';
import type { StreamPlan } from './stream-plan.ts';
import type { Fill } from './template.ts';

/** What a walk over pages works with. */
export interface WalkContext {
  readonly api: Api;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Most characters of one record. */
  readonly maxPiece: number;
  /** Records are handed over when there are so many, or so many characters of them. */
  readonly rows: number;
  readonly chars: number;
  /** A text that equal keys share; `null`: the key cannot be read. */
  keyOf(plan: StreamPlan, row: RestRow): string | null;
  /** Told of every answer, and how long it took to begin (ms). */
  onAnswer?(answer: HttpAnswer, tookMs: number): void;
  /** Most pages of the whole walk; then it ends as if there were no more. */
  readonly pageBudget?: { left: number };
}

/** Whose pages: those of a stream, or of one parent of it. */
export interface PagesOf {
  readonly plan: StreamPlan;
  readonly fill: Fill;
  readonly parent: ReadonlyMap<string, Cell> | null;
  readonly params: readonly Param[];
}

export interface PageChunk {
  readonly rows: readonly RestRow[];
  /** The page it is from. */
  readonly from: PageState;
  /** What follows it; `null`: more of the same page. */
  readonly next: PageState | 'end' | null;
}

/** Statuses with which servers refuse a place in their pages that they no longer know. */
const FORGOTTEN = [400, 404, 410, 416, 422];

/**
 * The pages of an endpoint, one after another, from a state on.
 *
 * @throws {TrueupError} `E_ANSWER` for pages that come again and again
 */
export async function* walkPages(context: WalkContext, of: PagesOf, start: PageState): AsyncGenerator<PageChunk> {
  const { plan } = of;
  const { pages } = plan.declared;
  const seen = new Set<string>();
  let state = start;
  let before = '';
  for (let count = 1; ; count++) {
    if (context.pageBudget !== undefined && context.pageBudget.left-- <= 0) return;
    const asked = askFor(context, of, state);
    refuseRepeated(plan, state, seen, askedText(asked));
    if (pages !== undefined && count > pages.max)
      throw new TrueupError(
        'E_ANSWER',
        `${askedText(asked)}: stream '${plan.name}' has more than ${pages.max} pages; raise \`pages.max\` if it is that large`,
      );
    const answer = await askPage(context, asked);
    if (FORGOTTEN.includes(answer.status) && count === 1 && state !== FIRST && Object.keys(state).length > 0) {
      answer.cancel();
      context.log.warn(
        { stream: plan.name, status: answer.status },
        'the server no longer knows the page to go on from; its pages are read from the first again',
      );
      state = FIRST;
      seen.clear();
      continue;
    }
    if (plan.parent !== null && isAbsent(answer)) {
      answer.cancel();
      throw new ParentGone();
    }
    refuseStatus(answer, askedText(asked));
    const page = yield* readPage(context, of, { answer, asked, state });
    if (page.next !== 'end' && page.count > 0 && page.digest === before)
      throw new TrueupError(
        'E_ANSWER',
        `${askedText(asked)}: ${pageText(state)} of stream '${plan.name}' holds the same records as the page before. The server seems to ignore what \`pages\` sends.`,
      );
    before = page.digest;
    if (page.next === 'end') return;
    state = page.next;
  }
}

/** The endpoint of one parent is not there: the parent was deleted meanwhile, or none has it. */
export class ParentGone extends Error {}

function askFor({ api }: WalkContext, { plan, fill, params }: PagesOf, state: PageState): Asking {
  const request = pageRequest(plan.declared.pages, state);
  return asking(api.baseUrl, plan.endpoint, { fill, params: [...params, ...request.params], at: request.url });
}

/** POST is how many APIs search; reading twice is as good as once. */
async function askPage({ api, signal, onAnswer }: WalkContext, asked: Asking): Promise<HttpAnswer> {
  signal.throwIfAborted();
  const begun = performance.now();
  const answer = await api.ask(asked, { signal, idempotent: true });
  onAnswer?.(answer, performance.now() - begun);
  return answer;
}

function refuseRepeated(plan: StreamPlan, state: PageState, seen: Set<string>, asked: string): void {
  const text = createHash('sha1').update(JSON.stringify(state)).digest('base64');
  if (seen.has(text))
    throw new TrueupError(
      'E_ANSWER',
      `${asked}: the pages of stream '${plan.name}' come back to one that was read already (${pageText(state)}); they would be read for ever`,
    );
  seen.add(text);
}

interface PageEnd {
  readonly next: PageState | 'end';
  readonly count: number;
  readonly digest: string;
}

/** Hands the last records over together with what follows the page, which is known only at its end. */
async function* readPage(
  context: WalkContext,
  of: PagesOf,
  { answer, asked, state }: { readonly answer: HttpAnswer; readonly asked: Asking; readonly state: PageState },
): AsyncGenerator<PageChunk, PageEnd> {
  const { plan } = of;
  const { format, pages } = plan.declared;
  const how = { format, records: plan.records, errors: plan.errors, maxPiece: context.maxPiece, asked: askedText(asked) };
  const records = readAnswer(answer.body, how);
  const page = openPage(context, of, state);
  try {
    let step = await records.next();
    while (step.done !== true) {
      for (const record of step.value) {
        page.take(record);
        if (page.isFull()) yield { rows: page.rows(), from: state, next: null };
      }
      step = await records.next();
    }
    const last = page.end();
    const next = nextPage(pages, state, { envelope: step.value, headers: answer.headers, url: answer.url, ...last });
    const follows = next === null ? 'end' : ownState(context, next, how.asked);
    yield { rows: page.rows(), from: state, next: follows };
    return { next: follows, count: last.count, digest: last.digest };
  } finally {
    answer.cancel();
  }
}

/** Keys in the address of a page do not go into checkpoints. */
function ownState({ api }: WalkContext, state: PageState, asked: string): PageState {
  return typeof state['url'] === 'string' ? { url: api.ownUrl(state['url'], asked) } : state;
}

/** What is known of a page while its records come. */
function openPage(context: WalkContext, { plan, parent }: PagesOf, state: PageState) {
  const digest = createHash('sha1');
  const isOffset = plan.declared.pages?.by === 'offset';
  const wanted = typeof state['last'] === 'string' ? state['last'] : null;
  let rows: RestRow[] = [];
  let chars = 0;
  let count = 0;
  let hasLast = false;
  let lastRow: RestRow | null = null;
  return {
    take({ json, text, broken }: AnswerRecord): void {
      const row: RestRow = { json, parent, ...(broken === undefined ? {} : { broken }) };
      digest.update(text).update('\n');
      count += 1;
      lastRow = row;
      const isLast = wanted !== null && !hasLast && context.keyOf(plan, row) === wanted;
      hasLast ||= isLast;
      // It was handed over as the last one of the page before.
      if (isLast && count === 1) return;
      rows.push(row);
      chars += text.length;
    },
    isFull: (): boolean => rows.length >= context.rows || chars >= context.chars,
    rows(): readonly RestRow[] {
      const taken = rows;
      rows = [];
      chars = 0;
      return taken;
    },
    end(): { count: number; digest: string; lastRecord: ExactJson; lastKey: string | null; hasLast: boolean } {
      const lastKey = isOffset && lastRow !== null ? context.keyOf(plan, lastRow) : null;
      return { count, digest: digest.digest('base64'), lastRecord: lastRow?.json ?? null, lastKey, hasLast };
    },
  };
}
