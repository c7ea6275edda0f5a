import type { DemoReport } from './demo-report.ts';
import { count, seconds, valueOf } from './stage.ts';
import type { Stage } from './stage.ts';
import { runTrueup } from './trueup-child.ts';

interface PrintedVerify {
  readonly durationMs: number;
  readonly streams: readonly {
    readonly stream: string;
    readonly compared: { readonly source: number; readonly target: number };
    readonly missing: number;
    readonly extra: number;
    readonly different: number;
    readonly repaired: number;
    readonly samples: readonly { readonly key: string; readonly kind: string; readonly fields: readonly { readonly field: string }[] }[];
  }[];
}

interface PrintedWhy {
  readonly verdict: string;
  readonly next: string;
  readonly fields: readonly {
    readonly field: string;
    readonly expected?: string | null;
    readonly actual?: string | null;
    readonly equal: boolean;
  }[];
}

/** What no count of rows would show: a microsecond, a cent, a blank, two rows gone and one too many. */
const DAMAGE = [
  `update orders set updated_at = updated_at + interval '1 microsecond' where id = 1001`,
  `update orders set total = total + 0.01 where id = 2002`,
  `update orders set note = coalesce(note, '') || ' ' where id = 3003`,
  `delete from orders where id in (4004, 5005)`,
  `insert into orders select (jsonb_populate_record(o, '{"id": 999999999}')).* from orders o where id = 6006`,
];
const DAMAGED = 6;
const LOOKED_AT = '2002';

/** The archive is damaged by hand; verify finds each row of it, why explains one, and a repair writes those and no other. */
export async function proofScene({ folder, story, signal, archive }: Stage): Promise<DemoReport['proof']> {
  const trueup = (args: readonly string[], expect = 0) => runTrueup(args, { cwd: folder, signal, expect });
  story.working('damaging the archive by hand');
  for (const statement of DAMAGE) await archive.query(statement);
  await watchWrites(archive);
  story.working('verify');
  const found = (await trueup(['verify', 'shop-to-archive'], 4)) as PrintedVerify;
  story.working('why');
  const why = (await trueup(['why', 'shop-to-archive', 'public.orders', LOOKED_AT], 4)) as PrintedWhy;
  story.working('verify --repair');
  const mended = (await trueup(['verify', 'shop-to-archive', '--repair'])) as PrintedVerify;
  const writtenByRepair = await valueOf<number>(archive, 'select count(*)::int as value from demo_writes');
  const sum = (report: PrintedVerify, of: 'missing' | 'extra' | 'different' | 'repaired') =>
    report.streams.reduce((total, stream) => total + stream[of], 0);
  const compared = found.streams.reduce((total, { compared: { source, target } }) => total + source + target, 0);
  const field = why.fields.find((one) => !one.equal);
  const figures = {
    damaged: DAMAGED,
    found: { missing: sum(found, 'missing'), extra: sum(found, 'extra'), different: sum(found, 'different') },
    compared,
    durationMs: found.durationMs,
    why: { key: LOOKED_AT, verdict: why.verdict, field: field?.field ?? '', next: why.next },
    repaired: sum(mended, 'repaired'),
    writtenByRepair,
  };
  const { missing, extra, different } = figures.found;
  story.happened(`${DAMAGED} rows of the archive damaged by hand: a microsecond, a cent, a blank, two rows gone, one too many`, [
    `verify compared ${count(compared)} rows in ${seconds(found.durationMs)}: ${missing} missing, ${extra} extra, ${different} different`,
    `why ${LOOKED_AT}: ${why.verdict}, ${field?.field} is ${field?.actual} and should be ${field?.expected}`,
    `verify --repair: ${figures.repaired} rows repaired, ${writtenByRepair} rows of the archive written, and consistent at the second look`,
  ]);
  return figures;
}

/** Every row that is written from now on, as the archive itself sees it. */
async function watchWrites(archive: Stage['archive']): Promise<void> {
  await archive.query(`create table demo_writes (id bigint)`);
  await archive.query(`create function demo_note() returns trigger language plpgsql as $$
    begin insert into public.demo_writes values (coalesce(new.id, old.id)); return null; end $$`);
  await archive.query(`create trigger demo_note after insert or update or delete on orders for each row execute function demo_note()`);
}
