import type { Promises } from '../../src/sdk.ts';
import { guaranteeOf } from './guarantee.ts';

export const promises: Promises = {
  source: [
    { by: 'log', situation: 'files that lines are appended to', parts: guaranteeOf({ name: 'orders.csv', by: 'log', op: null }) },
    {
      by: 'log',
      situation: 'the same with `op`: a field says what was deleted',
      parts: guaranteeOf({ name: 'orders.csv', by: 'log', op: 'op' }),
    },
    { by: 'log', situation: 'stdin', parts: guaranteeOf({ name: '-', by: 'log', op: null, stdin: true }) },
    {
      by: 'snapshot',
      situation: 'files that are replaced as a whole',
      parts: guaranteeOf({ name: 'orders.csv', by: 'snapshot', op: null }),
    },
  ],
  target: { checkpoints: 'atomic' },
};
