import { options } from '../../../connectors/rest/options.ts';
import { openRestTarget } from '../../../connectors/rest/target.ts';
import { jsonToCell, parseExactJson } from '../../../src/sdk.ts';
import type { Cell, ExactJson, Shape, TargetStream } from '../../../src/sdk.ts';
import type { TargetFixture } from '../../../src/testing/index.ts';
import { JSON_CARRIERS } from '../json-carriers.ts';
import { send, startApi } from './api-server.ts';
import { testContext } from './rest-kit.ts';

/** `PUT` stands for the whole record, `PATCH` for the fields that it sends. */
export async function targetFixture(method: 'PUT' | 'PATCH'): Promise<TargetFixture> {
  const api = await startApi();
  // A text that is no characters: as an API over a database of UTF-8 does.
  api.twists.push(({ body }, response) => {
    if (!/\\ud8/.test(body)) return false;
    send(response, 422, {});
    return true;
  });
  const streams = new Map<string, object>();
  return {
    open: () => openRestTarget(options.parse({ url: api.url, lookups: 64, streams: Object.fromEntries(streams) }), testContext()),
    targetName: (stream, shape) => {
      const [name, declared] = streamOf(stream, shape, method);
      streams.set(name, declared);
      return name;
    },
    read: (stream) => readBack(api.url, stream),
    exactTypes: JSON_CARRIERS,
    schemaless: true,
    createsNothing: true,
    countsUnchanged: false,
    replacesRecords: method === 'PUT',
    refuses: ['guard', 'mark'],
    close: () => api.close(),
  };
}

/** A stream per key: its place among addresses is made of it. */
function streamOf(stream: string, { fields, key }: Shape, method: string): readonly [name: string, declared: object] {
  const names = key.map((index) => fields[index]?.name ?? '');
  const name = `${stream} by ${names.join(', ')}`;
  const path = `/${encodeURIComponent(name)}`;
  const one = `${path}/${names.map((field) => `{${field}}`).join(',')}`;
  return [
    name,
    {
      path,
      query: { limit: 1000 },
      records: 'data',
      key: names,
      pages: { by: 'page', param: 'page' },
      get: { path: one },
      upsert: { method, path: one },
      delete: { path: one },
    },
  ];
}

/** By requests of the test's own. */
async function readBack(url: string, stream: TargetStream): Promise<Cell[][]> {
  const answer = await fetch(`${url}/${encodeURIComponent(stream.target)}?limit=100000`);
  const page = parseExactJson(await answer.text()) as ReadonlyMap<string, ExactJson>;
  return (page.get('data') as readonly ReadonlyMap<string, ExactJson>[]).map((record) =>
    stream.shape.fields.map(({ name, type }) => jsonToCell(type, record.get(name) ?? null, name)),
  );
}
