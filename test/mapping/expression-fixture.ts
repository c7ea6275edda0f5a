import { compileExpression } from '../../src/mapping/expression/compile.ts';
import { valueText } from '../../src/mapping/expression/load.ts';
import type { Value } from '../../src/mapping/expression/value.ts';
import type { Cell } from '../../src/model/cell.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';

const TYPES: Record<string, LogicalType> = {
  id: 'int64',
  n: 'int32',
  f: 'float64',
  total: 'decimal',
  name: 'text',
  ok: 'bool',
  raw: 'bytes',
  at: 'timestamptz',
  day: 'date',
  clock: 'time',
  civil: 'timestamp',
  payload: 'json',
  tags: { list: 'text' },
  code: 'uuid',
  'odd name': 'text',
  __proto__: 'text',
};
export const names = [...Object.keys(TYPES), '__proto__'];
const source = {
  fields: names.map((name) => ({ name, type: name === '__proto__' ? 'text' : (TYPES[name] as LogicalType), nullable: true })),
  key: [0],
  open: false,
};

export function check(text: string) {
  return compileExpression({ text, source, stream: 'public.orders' });
}

export function run(text: string, cells: Record<string, Cell> = {}): Value {
  const row = names.map((name) => (Object.hasOwn(cells, name) ? cells[name] : null));
  return check(text).run({ row, decoders: [] });
}

export function shown(value: Value): unknown {
  return value === null || typeof value === 'boolean' ? value : valueText(value);
}

export function problem(text: string): string {
  try {
    check(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'no problem';
}

export function fault(text: string, cells: Record<string, Cell> = {}): string {
  try {
    run(text, cells);
  } catch (error) {
    return `${(error as { code: string }).code}: ${(error as Error).message}`;
  }
  return 'no fault';
}
