import { createHash } from 'node:crypto';
import { cellToText, exactJsonText, isTrueupError, viewOf } from '../../src/sdk.ts';
import type { Field, LogicalType, PagedStream, PagedView, StreamRef } from '../../src/sdk.ts';
import type { Api } from './api.ts';
import { WALK_START } from './cursor.ts';
import { guaranteeOf } from './guarantee.ts';
import { inferTypes } from './infer.ts';
import { cellReader, pagedRow } from './record-row.ts';
import type { FieldPlace, RestRow } from './record-row.ts';
import type { StreamPlan } from './stream-plan.ts';
import { walk } from './walk.ts';
import type { Walking } from './walk.ts';
import type { ConnectorContext } from '../../src/sdk.ts';
import type { RestOptions } from './options.ts';

/** Pages that are looked at for the fields of a stream: parents without children could make it many. */
const SAMPLE_PAGES = 20;
const CHUNK_ROWS = 1000;
const CHUNK_CHARS = 4 * 2 ** 20;
const MIN_PIECE = 64 * 2 ** 20;

export interface Bounds {
  readonly rows: number;
  readonly bytes: number;
  readonly recordBytes: number;
}

/** What is known of the fields of streams: what is declared, or what samples have shown, kept for the life of the source. */
export class Knowledge {
  readonly #options: RestOptions;
  readonly #api: Api;
  readonly #context: ConnectorContext;
  readonly #types = new Map<string, Map<string, LogicalType>>();
  readonly #views = new Map<string, PagedView>();

  constructor(options: RestOptions, api: Api, context: ConnectorContext) {
    this.#options = options;
    this.#api = api;
    this.#context = context;
  }

  /** The fields of a stream; empty where no record has shown any yet. */
  async fieldsOf(plan: StreamPlan, signal: AbortSignal): Promise<readonly FieldPlace[]> {
    if (plan.fields !== null) return plan.fields;
    const known = this.#types.get(plan.name) ?? (await this.#sample(plan, signal));
    return [...known].map(([name, type]) => ({ name, type, path: [name], parent: null }));
  }

  /**
   * How a job reads a stream. The same object as long as no field changes.
   *
   * @throws {TrueupError} `E_STREAM_UNKNOWN` for a field that is not there
   */
  async view(plan: StreamPlan, stream: StreamRef, signal: AbortSignal): Promise<PagedView> {
    const fields = await this.fieldsOf(plan, signal);
    const id = JSON.stringify([stream, fields.map(({ name, type }) => [name, type])]);
    const made = this.#views.get(id) ?? {
      ...viewOf({ [plan.name]: pagedStream(plan, fields, stream) }, stream),
      cell: cellReader(new Map(fields.map((one) => [one.name, one]))),
    };
    this.#views.set(id, made);
    return made;
  }

  /** Adds fields that samples did not show. Whether there were any. */
  grow(plan: StreamPlan, rows: readonly RestRow[]): boolean {
    const known = this.#types.get(plan.name);
    if (plan.fields !== null || known === undefined) return false;
    const isNew = rows.some(
      ({ json }) =>
        json instanceof Map && [...(json as ReadonlyMap<string, unknown>)].some(([name, value]) => value !== null && !known.has(name)),
    );
    if (!isNew) return false;
    const types = inferTypes(
      rows.map(({ json }) => json),
      known,
    );
    this.#types.set(plan.name, types);
    this.#context.log.info(
      { stream: plan.name, fields: [...types.keys()].filter((name) => !known.has(name)) },
      'records hold fields that were not seen before',
    );
    return true;
  }

  walking(bounds: Bounds, signal: AbortSignal, more: Partial<Walking> = {}): Walking {
    return {
      api: this.#api,
      log: this.#context.log,
      signal,
      maxPiece: Math.max(MIN_PIECE, 4 * bounds.recordBytes),
      rows: Math.min(bounds.rows, CHUNK_ROWS),
      chars: Math.min(bounds.bytes, CHUNK_CHARS),
      keyOf: (plan, row) => this.#keyOf(plan, row),
      fieldsOf: (plan) => this.fieldsOf(plan, signal),
      ...more,
    };
  }

  async #sample(plan: StreamPlan, signal: AbortSignal): Promise<ReadonlyMap<string, LogicalType>> {
    const { sample } = this.#options;
    const rows: RestRow[] = [];
    const bounds = { rows: sample, bytes: CHUNK_CHARS, recordBytes: 0 };
    for await (const chunk of walk(this.walking(bounds, signal, { pageBudget: { left: SAMPLE_PAGES } }), plan, WALK_START, [])) {
      rows.push(...chunk.rows);
      if (rows.length >= sample) break;
    }
    const types = inferTypes(rows.slice(0, sample).map(({ json }) => json));
    // Nothing is kept of a stream that is still empty: the next look may find records.
    if (types.size > 0) this.#types.set(plan.name, types);
    return types;
  }

  #keyOf(plan: StreamPlan, row: RestRow): string | null {
    const { key } = plan.declared;
    if (key.length === 0) return createHash('sha1').update(exactJsonText(row.json)).digest('base64');
    const known =
      plan.fields ??
      [...(this.#types.get(plan.name) ?? [])].map(([name, type]): FieldPlace => ({ name, type, path: [name], parent: null }));
    const places = new Map(known.map((one) => [one.name, one]));
    const read = cellReader(places);
    try {
      return JSON.stringify(key.map((name) => keyText(row, { name, type: places.get(name)?.type ?? 'text', nullable: false }, read)));
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      return null;
    }
  }
}

function keyText(row: RestRow, field: Field, read: ReturnType<typeof cellReader>): string | null {
  return cellToText(field.type, read(pagedRow(row), field, `field '${field.name}'`));
}

/** As the pieces of paged sources take it. */
export function pagedStream(
  plan: StreamPlan,
  fields: readonly FieldPlace[],
  stream: Pick<StreamRef, 'changes' | 'lookbackMs'>,
): PagedStream {
  return {
    key: plan.declared.key,
    fields: Object.fromEntries(fields.map(({ name, type }) => [name, type])),
    guarantee: guaranteeOf(plan, stream),
  };
}
