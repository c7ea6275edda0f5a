import { Long } from 'mongodb';
import { expect, it } from 'vitest';
import { createMongoDatabase, describeWithMongo } from '../servers/mongo.ts';
import { describeWithPostgres } from '../servers/postgres.ts';
import { openScenario, tableContent } from './scenario.ts';
import { verify } from './verify-scenario.ts';

const THERE = String.raw`fields: { _id: id, "price\\.net": net, "size.x": x, "list\\.of": tags, note: note }
`;
const BACK = String.raw`fields: { id: _id, net: { from: "*.price\\.net", type: decimal }, x: size.x, tags: { from: "*.list\\.of", type: json }, note: note }
`;

describeWithPostgres('names with dots', () => {
  describeWithMongo('in documents', () => {
    it.each(['beside', 'atomic'])(
      'are written, changed, found out, mended, and come back (checkpoints %s)',
      { timeout: 240_000 },
      async (mode) => {
        const scenario = await openScenario();
        const { source, target } = scenario;
        const { db, url } = await createMongoDatabase('dots');
        await source.query(`create table public.things (id bigint primary key, net numeric, x int, tags text[], note text, at timestamptz default clock_timestamp());
        insert into public.things select n, n + 0.50, n, array['a', n::text], 'note' from generate_series(1, 300) n`);
        await scenario.write('there.yaml', THERE);
        await scenario.write('back.yaml', BACK);
        await scenario.jobs(
          `
  there: { source: shop, target: archive, checkpoints: ${mode}, streams: [{ from: public.things, to: things, mapping: there.yaml, changes: { by: xmin } }] }
  back: { source: archive, target: copy, streams: [{ from: things, to: public.things, mapping: back.yaml, changes: { by: snapshot } }] }
`,
          `  archive: { connector: mongodb, url: "${url}" }\n`,
        );
        const things = db.collection<{ _id: Long }>('things');
        const held = async (_id: number) => things.findOne({ _id: Long.fromNumber(_id) }, { promoteValues: true });
        expect((await scenario.run('there')).stream('public.things')).toMatchObject({ upserted: 300 });
        expect(Object.keys((await held(7)) ?? {})).toEqual(['_id', 'price.net', 'size', 'list.of', 'note']);
        expect(await held(7)).toMatchObject({ size: { x: 7 }, 'list.of': ['a', '7'], note: 'note' });

        await things.updateOne({ _id: Long.fromNumber(7) }, { $set: { own: 'field' } });
        await source.query(`update public.things set net = null, x = 70, tags = array['$price', null] where id = 7;
        update public.things set note = '$note' where id = 8; delete from public.things where id = 9`);
        expect((await scenario.run('there')).stream('public.things')).toMatchObject({ upserted: 2 });
        expect(await held(7)).toMatchObject({ 'price.net': null, size: { x: 70 }, 'list.of': ['$price', null], own: 'field' });
        expect(await held(8)).toMatchObject({ note: '$note' });
        const again = JSON.parse((await scenario.trueup('backfill', 'there', '--json')).stdout) as {
          jobs: { streams: { upserted: number; unchanged: number }[] }[];
        };
        expect(again.jobs[0]?.streams[0]).toMatchObject({ upserted: 0, unchanged: 299 });

        await things.deleteOne({ _id: Long.fromNumber(9) });
        await things.updateOne({ _id: Long.fromNumber(11) }, [
          { $replaceWith: { $setField: { field: 'price.net', input: '$$ROOT', value: 1 } } },
        ]);
        const found = await verify(scenario, 'there');
        expect(found.stream()).toMatchObject({ different: 1, samples: [{ key: '11', fields: [{ field: 'price\\.net' }] }] });
        expect((await verify(scenario, 'there', '--repair')).code).toBe(0);

        const back = await scenario.run('back');
        expect({ code: back.code, errors: back.report.jobs.map(({ error }) => error?.message) }).toEqual({ code: 0, errors: [undefined] });
        const columns = '(select id, net, x, to_jsonb(tags) as tags, note from public.things)';
        expect(await tableContent(target, '(select id, net, x, tags, note from public.things)')).toEqual(
          await tableContent(source, columns),
        );
      },
    );

    it('are refused where nothing could change them', { timeout: 60_000 }, async () => {
      const scenario = await openScenario();
      const { url } = await createMongoDatabase('dots');
      await scenario.source.query('create table public.things (id bigint primary key, a int, at timestamptz)');
      const planned = async (mapping: string, more = '') => {
        await scenario.write('there.yaml', mapping);
        await scenario.jobs(
          `
  there: { source: shop, target: archive, streams: [{ from: public.things, to: things, mapping: there.yaml, changes: { by: xmin }${more} }] }
`,
          `  archive: { connector: mongodb, url: "${url}" }\n`,
        );
        const { code, stdout } = await scenario.trueup('plan', 'there');
        return { code, stdout };
      };
      const inside = await planned(String.raw`fields: { _id: id, "x.a\\.b": a }`);
      expect(inside.code).toBe(2);
      expect(inside.stdout).toContain(String.raw`a name with a dot, 'x.a\.b', cannot be written here: it lies inside of a sub-document`);
      const guarded = await planned(String.raw`fields: { _id: id, "a\\.t": at }`, String.raw`, guard: "a\\.t"`);
      expect(guarded.code).toBe(2);
      expect(guarded.stdout).toContain('updates are guarded');
    });
  });
});
