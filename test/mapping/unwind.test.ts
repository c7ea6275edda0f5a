import { describe, expect, it } from 'vitest';

import { compileUnwind } from '../../src/mapping/compile-unwind.ts';
import type { Unwound } from '../../src/mapping/compile-unwind.ts';
import type { MappingPlan } from '../../src/mapping/plan.ts';
import type { Cell, Row } from '../../src/model/cell.ts';
import { plainText } from '../../src/model/plain-lines.ts';
import { decodedCell } from '../../src/model/records.ts';
import type { Shape } from '../../src/model/shape.ts';
import { batchOf, check, secrets, shapeOf } from './mapping-fixture.ts';

const ITEMS = { list: { struct: [f('sku', 'text'), f('qty', 'int32'), f('parts', { list: { struct: [f('name', 'text')] } })] } } as const;
const ORDERS = shapeOf({ _id: 'text', items: ITEMS, tags: { list: 'text' }, extra: 'json', loose: 'variant', 'ship.lines': 'variant' });

function f(name: string, type: unknown) {
  return { name, type: type as 'text', nullable: true };
}

const LINES = `
unwind:
  lines:
    path: items
    key: [order_id, line_no]
    fields: { order_id: _id, line_no: "@index", sku: items.sku, qty: items.qty }
`;

/** The rows of every table, field by name, or the faults. */
function unwound(text: string, rows: readonly Row[], shape: Shape = ORDERS) {
  const { plan, problems: found } = check(`fields: { _id: _id }\n${text}`, shape);
  expect(found).toEqual([]);
  const unwinder = compileUnwind(plan as MappingPlan, shape, secrets);
  const whole = unwinder.unwind(batchOf(shape, rows));
  const { tables, faults } = whole;
  const lines = unwinder.unwindLines(batchOf(shape, rows));
  // Whatever is unwound as lines is what it would be as cells; a batch with a fault never is.
  if (lines !== null) expect(linesOf(lines)).toEqual(linesByCells(whole));
  return {
    lines: lines === null ? null : linesOf(lines),
    faults: faults.map(({ index, message }) => `${index} ${message}`),
    rows: Object.fromEntries(
      tables.map(({ plan: of, records, origin }) => [
        of.target,
        records.rows().map((row, at) => [origin[at], ...of.mapping.shape.fields.map((_field, index) => decodedCell(records, row, index))]),
      ]),
    ),
  };
}

interface Lines {
  readonly tables: readonly unknown[];
  readonly faults: readonly unknown[];
}

function linesOf({ tables, faults }: Unwound): Lines {
  return {
    faults,
    tables: tables.map(({ plan, records, origin }) => {
      expect(records.count).toBe(origin.length);
      return [plan.target, [...origin], Buffer.concat(records.wire ?? []).toString()];
    }),
  };
}

function linesByCells({ tables, faults }: Unwound): Lines {
  return {
    faults,
    tables: tables.map(({ plan, records, origin }) => {
      const texts = plan.mapping.shape.fields.map(({ type }) => plainText(type));
      const lines = records
        .rows()
        .map((row) => row.map((_cell, index) => cellText(texts[index], decodedCell(records, row, index))).join('\t'));
      return [plan.target, [...origin], lines.map((line) => `${line}\n`).join('')];
    }),
  };
}

function cellText(plain: ((cell: Cell) => string) | null | undefined, cell: Cell): string {
  if (cell === null) return '\\N';
  return (plain?.(cell) ?? '').replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}

function order(id: string, cells: Partial<Record<'items' | 'tags' | 'extra' | 'loose' | 'ship.lines', Cell>>): Row {
  return ORDERS.fields.map(({ name }) => (name === '_id' ? id : (cells[name as 'items'] ?? null)));
}

function problems(text: string, shape: Shape = ORDERS): readonly string[] {
  return check(`fields: { _id: _id }\n${text}`, shape).problems;
}

describe('mapping: unwind', () => {
  it('makes a row of every element, with its position and fields of the document', () => {
    const rows = [
      order('a', {
        items: [
          ['x', 1, null],
          ['y', null, null],
        ],
      }),
      order('b', {}),
      order('c', { items: [] }),
    ];
    expect(unwound(LINES, rows)).toMatchObject({
      faults: [],
      rows: {
        lines: [
          [0, 'a', 0, 'x', 1],
          [0, 'a', 1, 'y', null],
        ],
      },
    });
  });

  it('makes the same rows as lines, and none of a batch in which a record is at fault', () => {
    const item = (sku: string): Row => [sku, 1, null];
    const lines = (...items: readonly Cell[]) => unwound(LINES, [order('t\ta', { items }), order('b', { items: [item('z')] })]).lines;
    expect(lines(item('x\\y\n\r'), [null, 2, null])?.tables).toEqual([
      ['lines', [0, 0, 1], 't\\ta\t0\tx\\\\y\\n\\r\t1\nt\\ta\t1\t\\N\t2\nb\t0\tz\t1\n'],
    ]);
    expect(lines(item('\0'))).toBeNull();
    expect(lines(item('\ud800'))).toBeNull();
    expect(lines(item('ä\0'))).toBeNull();
    expect(lines(item('ä\\€\t\n\r😀'), item('x'.repeat(200_000)))?.tables).toEqual([
      ['lines', [0, 0, 1], `t\\ta\t0\tä\\\\€\\t\\n\\r😀\t1\nt\\ta\t1\t${'x'.repeat(200_000)}\t1\nb\t0\tz\t1\n`],
    ]);
    const bySku = LINES.replace('key: [order_id, line_no]', 'key: [order_id, sku]');
    const keyed = (...items: readonly Cell[]) => unwound(bySku, [order('a', { items }), order('b', { items: [item('x')] })]);
    expect(keyed(item('x'), item('y')).lines).not.toBeNull();
    expect(keyed(item('x'), item('y'), item('x'))).toMatchObject({ lines: null, faults: [expect.stringContaining('same key')] });
    expect(keyed([null, 1, null])).toMatchObject({ lines: null, faults: [expect.stringContaining('NULL')] });
  });

  it('goes several levels down, with the positions of all of them', () => {
    const text = `${LINES}    unwind:
      parts:
        path: items.parts
        fields: { order_id: _id, line_no: "items.@index", part_no: "@index", sku: items.sku, name: items.parts.name }
`;
    const rows = [
      order('a', {
        items: [
          ['x', 1, [['p'], ['q']]],
          ['y', 2, [['r']]],
        ],
      }),
    ];
    expect(unwound(text, rows).rows['parts']).toEqual([
      [0, 'a', 0, 0, 'x', 'p'],
      [0, 'a', 0, 1, 'x', 'q'],
      [0, 'a', 1, 0, 'y', 'r'],
    ]);
  });

  it('leaves out elements that do not pass, with all that is inside of them', () => {
    const text = `${LINES.replace('    path: items', '    path: items\n    where: items.qty > 1')}    unwind:
      parts: { path: items.parts, fields: { order_id: _id, line_no: "items.@index", part_no: "@index" } }
`;
    const { rows } = unwound(text, [
      order('a', {
        items: [
          ['x', 1, [['p']]],
          ['y', 2, [['r']]],
        ],
      }),
    ]);
    expect(rows).toEqual({ lines: [[0, 'a', 1, 'y', 2]], parts: [[0, 'a', 1, 0]] });
  });

  it('takes arrays of plain values, by the name of the array', () => {
    const text = 'unwind: { tags: { path: tags, fields: { order_id: _id, "no": "@index", tag: tags } } }';
    expect(unwound(text, [order('a', { tags: ['x', null] })]).rows['tags']).toEqual([
      [0, 'a', 0, 'x'],
      [0, 'a', 1, null],
    ]);
  });

  it('takes arrays inside of json and of values that name their own type', () => {
    const json = 'unwind: { lines: { path: extra.lines, fields: { id: _id, no: "@index", n: { from: extra.lines.n, type: int32 } } } }';
    expect(unwound(json, [order('a', { extra: '{"lines":[{"n":1},{"n":2}]}' })]).rows['lines']).toEqual([
      [0, 'a', 0, 1],
      [0, 'a', 1, 2],
    ]);
    const variant = json.replaceAll('extra.lines', 'loose');
    const loose = {
      variant: 'list<variant>',
      value: [
        { variant: 'struct<n: int32>', value: [1] },
        { variant: 'struct<n: int64>', value: [2n] },
      ],
    };
    expect(unwound(variant, [order('a', { loose })]).rows['lines']).toEqual([
      [0, 'a', 0, 1],
      [0, 'a', 1, 2],
    ]);
    const dotted = json.replaceAll('extra.lines', 'ship.lines');
    expect(unwound(dotted, [order('a', { 'ship.lines': loose })]).rows['lines']).toHaveLength(2);
  });

  it('reaches elements and positions in expressions', () => {
    const text =
      'unwind: { lines: { path: items, key: [id, n], fields: { id: _id, n: { expr: "@index + 1", type: int32 }, label: { expr: "items.sku + \'@index\'", type: text } } } }';
    expect(unwound(text, [order('a', { items: [['x', 1, null]] })]).rows['lines']).toEqual([[0, 'a', 1, 'x@index']]);
  });

  it('takes what is not named along as json, or refuses it', () => {
    const text =
      'unwind: { lines: { path: loose, otherFields: { into: rest }, fields: { id: _id, no: "@index", sku: { from: loose.sku, type: text } } } }';
    const loose = { variant: 'list<struct<sku: text, n: int32, "a:b": bool>>', value: [['x', 1, true]] };
    expect(unwound(text, [order('a', { loose })]).rows['lines']).toEqual([[0, 'a', 0, 'x', '{"n":1,"a:b":true}']]);
    expect(unwound(text.replace('{ into: rest }', 'error'), [order('a', { loose })]).faults).toEqual([
      "0 lines: loose[0]: 'n' is not among the fields that the mapping names (sku), and 'otherFields' is error",
    ]);
    expect(problems(text.replace('{ into: rest }', 'keep'))[0]).toContain('is only known once they are read');
    const typed = 'unwind: { lines: { path: items, otherFields: keep, fields: { id: _id, no: "@index" } } }';
    expect(unwound(typed, [order('a', { items: [['x', 1, []]] })]).rows['lines']).toEqual([[0, 'a', 0, 'x', 1, []]]);
  });

  it('sets the whole document aside, with the place, for what cannot be a row', () => {
    const text = `unwind:
  lines:
    path: loose
    fields: { id: _id, no: "@index", sku: { from: loose.sku, type: int32 } }
    unwind: { parts: { path: loose.parts, fields: { id: _id, line: "loose.@index", no: "@index", n: { from: loose.parts.n, type: int32 } } } }
`;
    const part = (n: Cell, type: string): Cell => ({
      variant: `list<struct<n: ${type}>>`,
      value: [[1], [n]].slice(type === 'int32' ? 0 : 1),
    });
    const item = (sku: Cell, type: string, parts: Cell = null): Cell => ({
      variant: `struct<sku: ${type}, parts: variant>`,
      value: [sku, parts],
    });
    const list = (...value: Cell[]): Cell => ({ variant: 'list<variant>', value });
    const { faults, rows } = unwound(text, [
      order('a', { loose: list(item(1, 'int32'), item('x', 'text')) }),
      order('b', { loose: list(item(1, 'int32'), { variant: 'text', value: 'x' }) }),
      order('c', { loose: list(null) }),
      order('d', { loose: { variant: 'struct<sku: int32>', value: [1] } }),
      order('e', { loose: list(item(1, 'int32', part(1, 'int32')), item(2, 'int32', part('x', 'text'))) }),
      order('f', { loose: list(item(7, 'int32', part(2, 'int32'))) }),
    ]);
    expect(faults).toEqual([
      expect.stringMatching(/^0 lines: field 'sku' \(loose\[1\]\.sku\): /),
      '1 lines: loose[1]: a document was expected, and there is a value of type text',
      '2 lines: loose[0]: a document was expected, and there is null',
      "3 lines: loose[0]: an array was expected in 'loose', and there is a document",
      expect.stringMatching(/^4 parts: field 'n' \(loose\[1\]\.parts\[0\]\.n\): /),
    ]);
    expect(rows).toEqual({
      lines: [[5, 'f', 0, 7]],
      parts: [
        [5, 'f', 0, 0, 1],
        [5, 'f', 0, 1, 2],
      ],
    });
  });

  it('refuses two elements of one document with the same key, and NULL in it', () => {
    const text = 'unwind: { lines: { path: items, key: [id, sku], fields: { id: _id, sku: items.sku } } }';
    const rows = [
      order('a', {
        items: [
          ['x', 1, null],
          ['y', 1, null],
          ['x', 2, null],
        ],
      }),
      order('b', { items: [[null, 1, null]] }),
      order('c', { items: [['x', 1, null]] }),
    ];
    expect(unwound(text, rows)).toEqual({
      lines: null,
      faults: [
        '0 lines: items[2] has the same key (id, sku) as items[0]; add what tells them apart to the key, for example the position "@index"',
        "1 lines: items[0]: key field 'sku': its value is NULL, and a key must not be",
      ],
      rows: { lines: [[2, 'c', 'x']] },
    });
  });

  it('says what is wrong, where, with the names there are', () => {
    const one = (path: string, fields: string, more = '') =>
      problems(`unwind:\n  lines:\n    path: ${path}\n    fields: { ${fields} }\n${more}`);
    expect(one('itms', 'id: _id')).toEqual([expect.stringMatching(/^m\.yaml:4:11 .*'itms' is not a field.*Did you mean 'items'/)]);
    expect(one('_id', 'id: _id')[0]).toContain("'_id' is text, and only an array can be unwound");
    expect(one('items', 'id: _id, no: "@index", s: items.skuu')).toEqual([
      expect.stringMatching(/^m\.yaml:5:\d+ .*there is nothing named 'skuu'/),
    ]);
    expect(one('items', 'no: "@index", s: items.sku')[0]).toContain("no field that carries '_id'");
    expect(one('items', 'id: _id, s: items.sku')[0]).toContain('nothing that tells the elements of one array apart');
    expect(one('items', 'id: _id, no: "@index"', '    key: [id, nr]\n')[0]).toMatch(/^m\.yaml:6:\d+ .*Did you mean 'no'/);
    expect(one('items', 'id: _id, no: "@index"', '    wehre: x\n')[0]).toMatch(/'wehre' is not a key here.*where/);
    const deep = '    unwind: { parts: { path: items.parts, fields: { id: _id, no: "@index" } } }\n';
    expect(one('items', 'id: _id, no: "@index"', deep)[0]).toContain("the key leaves out 'items.@index'");
    expect(one('items', 'id: _id, no: "@index"', deep.replace('path: items.parts', 'path: tags'))[0]).toContain(
      "does not lead into the elements of 'items'",
    );
  });
});
