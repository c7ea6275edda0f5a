import type { LogicalType } from '../../src/sdk.ts';

/** Types whose values come back from JSON as they were. */
export const JSON_CARRIERS: readonly LogicalType[] = [
  ...([
    'bool',
    'int32',
    'float64',
    'decimal',
    'bytes',
    'uuid',
    'objectId',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'interval',
    'unknown',
    'variant',
  ] as const),
  { list: 'text' },
  { list: 'int64' },
  { struct: [{ name: 'a b', type: 'int64', nullable: true }] },
];
