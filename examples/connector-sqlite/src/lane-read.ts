import { OP, TrueupError, decodedCell, fieldIndex, isTrueupError } from 'trueup/sdk';
import type { Cell, MappedBatch, RecordFault, Row, TargetStream } from 'trueup/sdk';
import type { Value } from './file.ts';
import { keyNames } from './lane-write.ts';
import type { Step } from './stage.ts';
import { columnOf } from './table.ts';
import type { Table } from './table.ts';
import { valueOf } from './value.ts';

export interface ReadBatch {
  readonly steps: readonly Step[];
  readonly faults: readonly RecordFault[];
  /** `[field, what was done]`, one for every value that is not held exactly. */
  readonly losses: readonly (readonly [string, string])[];
}

/** A field of the batch and where it goes. */
interface Place {
  readonly index: number;
  readonly name: string;
  write(cell: Cell, note: (loss: string) => void): Value;
}

/** What a batch amounts to, each record looked at before anything is written. Faults of records are told apart, and these records left out. */
export function readBatch(batch: MappedBatch, stream: TargetStream, table: Table): ReadBatch {
  const places = placesOf(batch, stream, table);
  const key = keyNames(stream);
  const steps: Step[] = [];
  const faults: RecordFault[] = [];
  const losses: [string, string][] = [];
  const listed: (readonly Value[])[] = [];
  for (const [index, row] of batch.records.rows().entries()) {
    try {
      const noted: [string, string][] = [];
      const step = stepOf(batch, { index, row, places, key, note: (...loss) => noted.push(loss) });
      if (step.do === 'upsert') listed.push(key.map((name) => step.values[step.columns.indexOf(name)] ?? null));
      if (step.do === 'delete') listed.push(step.key);
      steps.push(step);
      losses.push(...noted);
    } catch (error) {
      if (!isTrueupError(error) || error.fault !== 'record') throw error;
      faults.push({ index, code: error.code, message: error.message });
    }
  }
  return { steps: [...steps, ...withinSteps(batch, places, listed)], faults, losses };
}

function placesOf(batch: MappedBatch, stream: TargetStream, table: Table): Place[] {
  return batch.shape.fields.flatMap((field, index): Place[] => {
    const column = columnOf(table, field.name);
    if (column === undefined) {
      if (stream.drift.add === 'ignore') return [];
      throw new TrueupError('E_PLAN_CHANGED', `Table '${stream.target}' has no column '${field.name}'.`);
    }
    const onLoss = stream.onLoss[fieldIndex(stream.shape, field.name)] ?? 'error';
    const place = `Column '${field.name}' of table '${stream.target}'`;
    const write = (cell: Cell, note: (loss: string) => void): Value => {
      const { value, loss } = valueOf(field.type, cell, onLoss, place);
      if (value === null && !column.nullable) throw new TrueupError('E_RECORD_VALUE', `${place} is NOT NULL, and got NULL.`);
      if (loss !== undefined) note(loss);
      return value;
    };
    return [{ index, name: field.name, write }];
  });
}

interface Reading {
  readonly index: number;
  readonly row: Row;
  readonly places: readonly Place[];
  readonly key: readonly string[];
  readonly note: (field: string, loss: string) => void;
}

function stepOf(batch: MappedBatch, { index, row, places, key, note }: Reading): Step {
  const op = batch.ops?.[index] ?? OP.upsert;
  const write = ({ index: field, name, write: toValue }: Place): Value =>
    toValue(decodedCell(batch.records, row, field), (loss) => note(name, loss));
  const { stream } = batch;
  switch (op) {
    case OP.upsert:
      return { do: 'upsert', stream, columns: places.map(({ name }) => name), values: places.map(write) };
    case OP.delete:
      return { do: 'delete', stream, key: key.map((name) => write(placeNamed(places, name))) };
    case OP.truncate:
      return { do: 'truncate', stream };
    default:
      throw new TrueupError('E_BUG', `The sqlite target does not take operation ${op}.`);
  }
}

function placeNamed(places: readonly Place[], name: string): Place {
  const place = places.find((one) => one.name === name);
  if (place === undefined) throw new TrueupError('E_BUG', `A batch has no key field '${name}'.`);
  return place;
}

function withinSteps(batch: MappedBatch, places: readonly Place[], keys: readonly (readonly Value[])[]): Step[] {
  const { replaceWithin, stream, shape } = batch;
  if (replaceWithin === undefined) return [];
  const within = replaceWithin.fields.map((index) => placeNamed(places, shape.fields[index]?.name ?? ''));
  const columns = within.map(({ name }) => name);
  const parents = replaceWithin.parents.map((parent) => parent.map((cell, index) => within[index]?.write(cell, () => {}) ?? null));
  return [{ do: 'within', stream, columns, parents, keys }];
}
