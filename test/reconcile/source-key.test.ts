import { describe, expect, it } from 'vitest';
import { checkMapping } from '../../src/mapping/check.ts';
import { parseMapping } from '../../src/mapping/parse.ts';
import type { Cell } from '../../src/model/cell.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import type { Shape } from '../../src/model/shape.ts';
import { sourceKeys } from '../../src/reconcile/source-key.ts';

const SOURCE: Shape = {
  fields: [
    { name: 'id', type: 'int64', nullable: false },
    { name: 'part', type: 'text', nullable: false },
  ],
  key: [0, 1],
  open: false,
};

/** What a key of the target leads back to, under a mapping that is written as text. */
function backFrom(
  text: string,
  stored: readonly LogicalType[],
  target: readonly Cell[],
  source = SOURCE,
): readonly Cell[] | null | undefined {
  const parsed = parseMapping({ file: 'm.yaml', text });
  const { plan, diagnostics } = checkMapping({
    mapping: parsed.mapping,
    stream: 's',
    source,
    secrets: (one) => one,
    timezone: 'UTC',
    onLoss: 'error',
    onExit: 'delete',
    at: { file: 'trueup.yaml', line: 1, column: 1 },
  });
  if (plan === null) throw new Error(JSON.stringify(diagnostics));
  const back = sourceKeys({ mapping: plan, source, stored });
  return back === null ? undefined : back(target);
}

const single: Shape = { ...SOURCE, fields: SOURCE.fields.slice(0, 1), key: [0] };

describe('the key of the source from the key of the target', () => {
  it('comes in its own order, whatever the order and the names in the target', () => {
    expect(backFrom('fields: { b: part, a: id }\nkey: [b, a]', ['text', 'int64'], ['x', 7n])).toEqual([7n, 'x']);
  });

  it('is converted back from the type that the target holds it in', () => {
    expect(backFrom('fields: { id: id, part: part }', ['text', 'text'], ['9007199254740993', 'x'])).toEqual([9007199254740993n, 'x']);
    expect(backFrom('fields: { id: { from: id, type: text } }\nkey: [id]', ['text'], ['12'], single)).toEqual([12n]);
  });

  it.each([
    ['fields: { id: { from: id, shift: -2 } }\nkey: [id]', 'decimal', '3.50', 350n],
    ['fields: { id: { from: id, shift: -2 } }\nkey: [id]', 'decimal', '-0.07', -7n],
    ['fields: { id: { from: id, shift: 3, type: int64 } }\nkey: [id]', 'int64', 5000n, 5n],
    ['fields: { id: { from: id, lookup: { "1": one, "2": two } } }\nkey: [id]', 'text', 'two', 2n],
  ] as const)('is turned around: %s', (mapping, stored, target, source) => {
    expect(backFrom(mapping, [stored], [target], single)).toEqual([source]);
  });

  it.each([
    ['no value of the type of the source', 'fields: { id: id }', 'text', 'seven'],
    ['no value that the shift could have made', 'fields: { id: { from: id, shift: -2 } }\nkey: [id]', 'decimal', '3.505'],
    ['no value of the lookup', 'fields: { id: { from: id, lookup: { "1": one } } }\nkey: [id]', 'text', 'two'],
    ['NULL', 'fields: { id: id }', 'int64', null],
  ] as const)('is unknown for %s', (_what, mapping, stored, target) => {
    expect(backFrom(mapping, [stored], [target], single)).toBeNull();
  });

  it.each(['fields: { id: { from: id, mask: sha256 } }\nkey: [id]', 'fields: { id: { expr: "string(id)", type: text } }\nkey: [id]'])(
    'cannot be had from %s',
    (mapping) => {
      expect(backFrom(mapping, ['text'], ['x'], single)).toBeUndefined();
    },
  );
});
