import { expect, it } from 'vitest';
import { jsonbRefusal } from '../../../connectors/postgres/digest/jsonb-text.ts';

it('takes what jsonb stores', () => {
  for (const text of ['"a"', String.raw`"\\u0000"`, String.raw`"\u0041\n"`, String.raw`"\ud83d\ude00"`, String.raw`["\\\\ud800"]`, '"😀"'])
    expect([text, jsonbRefusal(text)]).toEqual([text, null]);
});

it('refuses NUL and half a surrogate pair, as the server would', () => {
  for (const text of [String.raw`"a\u0000"`, String.raw`{"a\\\u0000":1}`]) expect(jsonbRefusal(text)).toContain('NUL');
  for (const text of [
    String.raw`"\ud800"`,
    String.raw`"\uD800x\udc00"`,
    String.raw`"\udc00"`,
    String.raw`"\ud800\n"`,
    String.raw`"\ud800\ud800"`,
  ])
    expect([text, jsonbRefusal(text)]).toEqual([text, expect.stringContaining('surrogate')]);
});
