import { JsonNumber, TrueupError } from '../../src/sdk.ts';
import type { ExactJson, Json } from '../../src/sdk.ts';
import { parsePath, valueAt } from './json-path.ts';
import { nextLink } from './link-header.ts';
import type { Pages } from './options.ts';

/*
 * Which page comes next. Pure: a state is asked for, and what was answered leads to the next state, or to none at the end. States are JSON and stand in cursors.
 *
 *   cursor   {value}          the cursor of the last answer
 *   next,link {url}           the address that the last answer gave
 *   page     {page}           a number
 *   offset   {offset, last}   records before it, and the key of the last one: a page begins with it, else something moved
 *   keyset   {value}          a field of the last record
 */

export type PageState = Readonly<Record<string, Json>>;

export interface Param {
  readonly name: string;
  readonly in: 'query' | 'body';
  readonly value: ExactJson;
}

/** What to ask for. `url`: this address in place of the stream's. */
export interface PageRequest {
  readonly url: string | null;
  readonly params: readonly Param[];
}

export interface PageAnswer {
  readonly envelope: ExactJson;
  readonly headers: Readonly<Record<string, string>>;
  /** The address that answered. */
  readonly url: string;
  readonly count: number;
  readonly lastRecord: ExactJson;
  /** Key of the last record, as text; `null`: there is none, or it could not be read. */
  readonly lastKey: string | null;
  /** Whether the record that the state names as `last` is among them. */
  readonly hasLast: boolean;
}

/** A page of offsets is looked for again so many times before a read fails. */
const MAX_STEPS_BACK = 50;

/** The state of the first page: nothing is known yet. */
export const FIRST: PageState = {};

export function pageRequest(pages: Pages | undefined, state: PageState): PageRequest {
  if (pages === undefined || pages.by === 'link' || pages.by === 'next')
    return { url: (state['url'] as string | undefined) ?? null, params: [] };
  const param = (value: ExactJson): Param => ({ name: pages.param, in: pages.in, value });
  const size: Param[] =
    'size' in pages && pages.size !== undefined
      ? [{ name: pages.size.param, in: pages.in, value: new JsonNumber(String(pages.size.value)) }]
      : [];
  if (pages.by === 'page') return { url: null, params: [...size, param(numberOf(pageOf(pages, state)))] };
  if (pages.by === 'offset') return { url: null, params: [...size, param(numberOf(askedOffset(state)))] };
  return { url: null, params: 'value' in state ? [param(valueOf(state))] : [] };
}

/**
 * @throws {TrueupError} `E_ANSWER` for an answer that does not say what it should, `E_BUSY` where records move faster than they are read
 */
export function nextPage(pages: Pages | undefined, state: PageState, answer: PageAnswer): PageState | null {
  if (pages === undefined) return null;
  if (pages.by === 'link') return urlState(nextLink(answer.headers['link'] ?? ''), answer);
  if (pages.by === 'next') return urlState(textAt(answer.envelope, pages.next), answer);
  if (pages.by === 'offset') return nextOffset(pages, state, answer);
  if (isEnd(pages.more, answer)) return null;
  if (pages.by === 'cursor') return cursorState(answer, pages);
  if (answer.count === 0) return null;
  if (pages.by === 'page') return { page: pageOf(pages, state) + 1 };
  return keysetState(answer, pages.field);
}

/** For people: `page 3`. */
export function pageText(state: PageState): string {
  if ('page' in state) return `page ${JSON.stringify(state['page'])}`;
  if ('offset' in state) return `record ${JSON.stringify(state['offset'])}`;
  return Object.keys(state).length === 0 ? 'the first page' : 'a later page';
}

function numberOf(value: number): JsonNumber {
  return new JsonNumber(String(value));
}

function pageOf({ first }: Extract<Pages, { by: 'page' }>, state: PageState): number {
  return (state['page'] as number | undefined) ?? first;
}

/** One record before the end of the last page, to see that it is still there. */
function askedOffset(state: PageState): number {
  const offset = (state['offset'] as number | undefined) ?? 0;
  return typeof state['last'] === 'string' ? Math.max(0, offset - 1) : offset;
}

function nextOffset(pages: Extract<Pages, { by: 'offset' }>, state: PageState, answer: PageAnswer): PageState | null {
  const asked = askedOffset(state);
  const back = (state['back'] as number | undefined) ?? 0;
  if (typeof state['last'] === 'string' && !answer.hasLast && asked > 0) {
    if (back >= MAX_STEPS_BACK)
      throw new TrueupError(
        'E_BUSY',
        `the records moved ${back} times while their pages were read by offset, and none of it can be told apart from a gap`,
      );
    return { offset: Math.max(0, asked - pages.size.value), last: state['last'], back: back + 1 };
  }
  const end = asked + answer.count;
  const offset = (state['offset'] as number | undefined) ?? 0;
  const isNew = end > offset || (answer.count > 0 && !answer.hasLast);
  if (!isNew || isEnd(pages.more, answer)) return null;
  return { offset: end, last: answer.lastKey, back };
}

function isEnd(more: string | undefined, { envelope }: PageAnswer): boolean {
  if (more === undefined) return false;
  const value = valueAt(envelope, parsePath(more));
  if (typeof value !== 'boolean') throw new TrueupError('E_ANSWER', `'${more}' of the answer should be true or false`);
  return !value;
}

function cursorState({ envelope }: PageAnswer, { next, more }: Extract<Pages, { by: 'cursor' }>): PageState | null {
  const value = valueAt(envelope, parsePath(next));
  if (value === undefined || value === null || value === '' || value === false) {
    if (more !== undefined)
      throw new TrueupError('E_ANSWER', `'${more}' of the answer says that there is more, but '${next}' holds no cursor`);
    return null;
  }
  return stateOfValue(value, next);
}

function keysetState({ lastRecord }: PageAnswer, field: string): PageState {
  const value = valueAt(lastRecord, parsePath(field)) ?? null;
  if (value === null)
    throw new TrueupError('E_ANSWER', `the last record of the page has no '${field}', which the next page is asked for by`);
  return stateOfValue(value, field);
}

function stateOfValue(value: ExactJson, place: string): PageState {
  if (typeof value === 'string') return { value };
  if (value instanceof JsonNumber) return { value: value.text, isNumber: true };
  throw new TrueupError('E_ANSWER', `'${place}' of the answer should be a string or a number`);
}

function valueOf(state: PageState): ExactJson {
  const value = state['value'] as string;
  return state['isNumber'] === true ? new JsonNumber(value) : value;
}

function textAt(envelope: ExactJson, path: string): string | null {
  const value = valueAt(envelope, parsePath(path));
  if (value === undefined || value === null || value === '' || value === false) return null;
  if (typeof value !== 'string') throw new TrueupError('E_ANSWER', `'${path}' of the answer should be an address`);
  return value;
}

function urlState(link: string | null, { url }: PageAnswer): PageState | null {
  if (link === null) return null;
  if (!URL.canParse(link, url)) throw new TrueupError('E_ANSWER', 'the address of the next page is none');
  return { url: new URL(link, url).href };
}
