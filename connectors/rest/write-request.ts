import { createHash } from 'node:crypto';
import { OP, OPS, TrueupError, cellToJsonText, cellToText, decodedCell, exactJsonText, parseExactJson } from '../../src/sdk.ts';
import type { Cell, ExactJson, MappedBatch, Shape } from '../../src/sdk.ts';
import type { Asking } from './endpoint.ts';
import { asking } from './endpoint.ts';
import { parsePath, withValueAt } from './json-path.ts';
import type { StreamPlan } from './stream-plan.ts';
import type { Fill } from './template.ts';

/** A record on its way: its place in the batch and its cells. */
export interface Outgoing {
  readonly index: number;
  readonly isDelete: boolean;
  readonly shape: Shape;
  readonly cells: readonly Cell[];
}

/** A request for one record or several. */
export interface WriteRequest {
  readonly records: readonly Outgoing[];
  readonly isDelete: boolean;
  ask(job: string, baseUrl: string): Asking;
}

/**
 * The requests that write a batch. Deletes go one by one.
 *
 * @throws {TrueupError} `E_BUG` for an op that the target does not take: sent as an upsert, a patch would empty the other fields
 */
export function writeRequests(plan: StreamPlan, batch: MappedBatch): WriteRequest[] {
  const other = batch.ops?.find((op) => op !== OP.upsert && op !== OP.delete);
  if (other !== undefined) throw new TrueupError('E_BUG', `An API takes no '${OPS[other]}', which came for stream '${batch.stream}'.`);
  const records = batch.records.rows().map((row, index): Outgoing => ({
    index,
    isDelete: batch.ops?.[index] === OP.delete,
    shape: batch.shape,
    cells: row.map((_cell, field) => decodedCell(batch.records, row, field)),
  }));
  const upserts = records.filter(({ isDelete }) => !isDelete);
  const size = plan.declared.upsert?.batch?.size ?? 1;
  const groups = Array.from({ length: Math.ceil(upserts.length / size) }, (_, index) => upserts.slice(index * size, (index + 1) * size));
  return [
    ...groups.map((group): WriteRequest => ({
      records: group,
      isDelete: false,
      ask: (job, baseUrl) => askUpsert(plan, group, { job, baseUrl }),
    })),
    ...records
      .filter(({ isDelete }) => isDelete)
      .map((record): WriteRequest => ({ records: [record], isDelete: true, ask: (_job, baseUrl) => askDelete(plan, record, baseUrl) })),
  ];
}

function askUpsert(
  plan: StreamPlan,
  group: readonly Outgoing[],
  { job, baseUrl }: { readonly job: string; readonly baseUrl: string },
): Asking {
  const { upsert } = plan.declared;
  const [first] = group;
  if (upsert === undefined || first === undefined) throw new Error('a stream that cannot be written');
  const content: ExactJson =
    upsert.batch === undefined
      ? withValueAt(new Map(), parsePath(upsert.body), recordJson(first))
      : withValueAt(new Map(), parsePath(upsert.batch.path), group.map(recordJson));
  const asked = asking(baseUrl, endpointOf(plan, upsert.method, upsert.path), { fill: fillFrom(first), params: [], at: null });
  const body = exactJsonText(content);
  const key =
    upsert.method === 'POST' ? { [upsert.idempotencyHeader.toLowerCase()]: contentKey([job, plan.name, ...group.map(keyText), body]) } : {};
  return { ...asked, headers: { ...asked.headers, 'content-type': 'application/json', ...key }, body };
}

function askDelete(plan: StreamPlan, record: Outgoing, baseUrl: string): Asking {
  return asking(baseUrl, endpointOf(plan, 'DELETE', plan.declared.delete?.path ?? ''), { fill: fillFrom(record), params: [], at: null });
}

function endpointOf(plan: StreamPlan, method: string, path: string) {
  return { method, path, query: {}, headers: plan.endpoint.headers, body: undefined };
}

/**
 * What is absent in a record is not sent.
 *
 * @throws {TrueupError} `E_RECORD_VALUE` for NULL where it may not be: an API may take it all the same
 */
function recordJson({ shape, cells }: Outgoing): ExactJson {
  return new Map(
    shape.fields.flatMap(({ name, type, nullable }, index): [string, ExactJson][] => {
      const cell = cells[index];
      if (cell === null && !nullable) throw new TrueupError('E_RECORD_VALUE', `field '${name}' is NULL, and must not be`);
      return cell === undefined ? [] : [[name, parseExactJson(cellToJsonText(type, cell))]];
    }),
  );
}

function fillFrom({ shape, cells }: Outgoing): Fill {
  return (name) => {
    const index = shape.fields.findIndex((field) => field.name === name);
    return index < 0 ? null : cellToText(shape.fields[index]?.type ?? 'text', cells[index] ?? null);
  };
}

function keyText({ shape, cells }: Outgoing): string {
  return JSON.stringify(shape.key.map((index) => cellToText(shape.fields[index]?.type ?? 'text', cells[index] ?? null)));
}

function contentKey(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
