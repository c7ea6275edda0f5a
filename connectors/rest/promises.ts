import type { ChangeSpec, Promises, SourcePromise } from '../../src/sdk.ts';
import { guaranteeOf } from './guarantee.ts';
import { stream } from './options.ts';

/* The situations that make a difference to what is promised. `orders` and its fields stand for any. */

const CHANGES = { param: 'since', field: 'updated_at' };
const BY_FIELD: ChangeSpec = { by: 'cursor', field: 'updated_at' };

export const promises: Promises = {
  source: [
    promiseOf('an endpoint with `changes`, one page', BY_FIELD, {}),
    promiseOf('the same with `lookback: 10m`', BY_FIELD, { lookbackMs: 600_000 }),
    promiseOf('the same in pages by number', BY_FIELD, { lookbackMs: 600_000, pages: { by: 'page', param: 'page' } }),
    promiseOf('an endpoint in pages by cursor or link', { by: 'snapshot' }, { pages: { by: 'link' } }),
  ],
  target: { checkpoints: 'state' },
};

function promiseOf(
  situation: string,
  changes: ChangeSpec,
  more: { readonly lookbackMs?: number; readonly pages?: unknown },
): SourcePromise {
  const declared = stream.parse({ path: '/orders', changes: CHANGES, ...(more.pages === undefined ? {} : { pages: more.pages }) });
  const parts = guaranteeOf(
    { name: 'orders', declared, parent: null },
    { changes, ...(more.lookbackMs === undefined ? {} : { lookbackMs: more.lookbackMs }) },
  );
  return { by: changes.by, situation, parts };
}
