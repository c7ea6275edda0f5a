import type { Json } from '../../src/sdk.ts';

/** What tells the pairs of Postgres apart: how changes are found, what becomes of rows on their way, where checkpoints are kept. */
export interface PostgresKind {
  readonly name: string;
  /** The job's entry for `public.orders`. */
  readonly stream: Readonly<Record<string, Json>>;
  readonly job?: Readonly<Record<string, Json>>;
  readonly files?: Readonly<Record<string, string>>;
  /** How further tables find their changes. */
  readonly changes: Json;
  /** Rows are only ever inserted. */
  readonly insertOnly: boolean;
  /** The target, and what its rows must be, in SQL over the source. */
  readonly target: string;
  readonly expected: string;
}

const SAME = `select id::text as key, md5(t::text) as content from public.orders as t where not gone`;
const CURSOR = { by: 'cursor', field: 'updated_at' };
const SOFT_DELETES = { when: 'gone' };

export const POSTGRES_KINDS: readonly PostgresKind[] = [
  {
    name: 'cursor',
    stream: { changes: CURSOR, deletes: SOFT_DELETES },
    changes: CURSOR,
    insertOnly: false,
    target: 'public.orders',
    expected: SAME,
  },
  {
    name: 'xmin',
    stream: { changes: { by: 'xmin' }, deletes: SOFT_DELETES },
    changes: { by: 'xmin' },
    insertOnly: false,
    target: 'public.orders',
    expected: SAME,
  },
  {
    name: 'sequence',
    stream: { changes: { by: 'sequence', field: 'id' } },
    changes: { by: 'sequence', field: 'id' },
    insertOnly: true,
    target: 'public.orders',
    expected: SAME,
  },
  {
    name: 'mapped',
    stream: { changes: CURSOR, deletes: SOFT_DELETES, to: 'public.sales', mapping: 'sales.yaml' },
    files: {
      'sales.yaml': `where: "status != 'draft'"
fields:
  id: id
  client: customer
  euros: { from: cents, shift: -2 }
  state: { from: status, lookup: { new: N, paid: P }, default: other }
  label: { expr: "customer + ' #' + string(id)", type: text }
  changed: updated_at
`,
    },
    changes: CURSOR,
    insertOnly: false,
    target: 'public.sales',
    expected: `select id::text as key, md5(row(id, customer, round(cents / 100.0, 2), case status when 'new' then 'N' when 'paid' then 'P' else 'other' end,
      customer || ' #' || id, updated_at)::text) as content from public.orders where not gone and status <> 'draft'`,
  },
  {
    name: 'checkpoints beside',
    stream: { changes: CURSOR, deletes: SOFT_DELETES },
    job: { checkpoints: 'beside' },
    changes: CURSOR,
    insertOnly: false,
    target: 'public.orders',
    expected: SAME,
  },
];
