import { OP, TrueupError, carrierProblem, cellToJsonText, cellToText, decodedCell } from '../../src/sdk.ts';
import type { Cell, Field, Records, Row, Shape, TargetStream } from '../../src/sdk.ts';
import { csvText } from './csv-record.ts';
import type { FileOptions } from './options.ts';

/** How the records of a stream become lines of its file. */
export interface RecordWriter {
  /** The line of a record, with its end. Notes what was not carried as it was. @throws {TrueupError} of a record fault */
  line(records: Records, row: Row, op: number): string;
}

export interface Writing {
  readonly stream: TargetStream;
  /** Of the batch: fields may come in another order than planned. */
  readonly shape: Shape;
  /** The columns of a CSV file; `null`: JSON lines. */
  readonly columns: readonly string[] | null;
  readonly options: FileOptions;
  onConversion(field: string, kind: string): void;
}

interface Place {
  readonly field: Field;
  readonly index: number;
  readonly isKey: boolean;
  readonly onLoss: TargetStream['onLoss'][number];
}

export function openWriter(writing: Writing): RecordWriter {
  const { stream, shape, columns, options } = writing;
  const places = shape.fields.map((field, index): Place => {
    const planned = stream.shape.fields.findIndex(({ name }) => name === field.name);
    return { field, index, isKey: shape.key.includes(index), onLoss: stream.onLoss[planned] ?? 'error' };
  });
  const cellOf = (records: Records, row: Row, op: number, place: Place): Cell => checked(decodedCell(records, row, place.index), op, place);
  if (columns === null) {
    const kept =
      stream.drift.add === 'ignore' ? places.filter(({ field }) => stream.shape.fields.some(({ name }) => name === field.name)) : places;
    const opMember = options.op === undefined ? null : JSON.stringify(options.op);
    return {
      line(records, row, op) {
        const members = kept.flatMap((place) => {
          const cell = cellOf(records, row, op, place);
          return cell === undefined ? [] : [`${JSON.stringify(place.field.name)}:${jsonText(place, cell, writing)}`];
        });
        const word = opMember === null ? [] : [`${opMember}:${op === OP.delete ? '"delete"' : '"upsert"'}`];
        return `{${[...word, ...members].join(',')}}\n`;
      },
    };
  }
  const byColumn = columns.map((name) => places.find(({ field }) => field.name === name) ?? null);
  return {
    line(records, row, op) {
      const cells = byColumn.map((place, column) => {
        if (place === null) return columns[column] === options.op ? (op === OP.delete ? 'delete' : 'upsert') : null;
        return cellToText(place.field.type, cellOf(records, row, op, place));
      });
      return csvLine(cells, options);
    },
  };
}

export function csvLine(cells: readonly (string | null)[], { delimiter, quote }: FileOptions): string {
  return `${cells.map((cell) => csvText(cell, delimiter, quote)).join(delimiter)}\n`;
}

function checked(cell: Cell, op: number, { field, isKey }: Place): Cell {
  if (op === OP.delete) return isKey ? cell : undefined;
  const problem = carrierProblem(field.type, cell);
  if (problem !== null) throw new TrueupError('E_RECORD_VALUE', `Field '${field.name}': ${problem}.`);
  if (cell === null && !field.nullable) throw new TrueupError('E_RECORD_VALUE', `Field '${field.name}' is NULL, which it may not be.`);
  return cell;
}

/** JSON's null stands for NULL: a json value that is null itself has no place beside it. */
function jsonText({ field, onLoss }: Place, cell: Cell, { onConversion }: Writing): string {
  const text = cellToJsonText(field.type, cell);
  if (field.type !== 'json' || cell === null) return text;
  if (text.trim() === 'null') {
    if (onLoss === 'error')
      throw new TrueupError('E_RECORD_LOSS', `Field '${field.name}': a json value that is null cannot be told from NULL in JSON lines.`);
    onConversion(field.name, 'json-null');
    return 'null';
  }
  // Line ends of a json text stand between its parts: inside of a string they are escaped.
  return /[\r\n]/.test(text) ? text.replaceAll(/[\r\n]+/g, ' ') : text;
}
