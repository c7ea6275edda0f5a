import { z } from 'zod';
import { duration } from './units.ts';

const breaker = z
  .strictObject({
    failures: z
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .meta({ description: 'Faults in a row that open it: nobody answers, or a passing fault.' }),
    openFor: duration({ min: '1s', max: '24h' })
      .prefault('30s')
      .meta({ description: 'How long nothing is asked, before one call is tried.' }),
    onOpen: z.enum(['wait', 'skip', 'fail']).default('wait').meta({
      description:
        'What a job does meanwhile: wait, within its `retries`; skip the streams of the connection (exit 3); fail at once (exit 7).',
    }),
  })
  .meta({ description: 'Circuit breaker: a system that fails again and again is left alone for a while. Default: none.' });

export const limitsSchema = z
  .strictObject({
    perSecond: z.number().min(0.001).max(100_000).optional().meta({
      description: 'Requests per second in the long run. Only for connectors that make requests (HTTP).',
    }),
    burst: z.int().min(1).max(100_000).default(1).meta({ description: 'Requests that may begin at once after a rest.' }),
    concurrency: z.int().min(1).max(10_000).optional().meta({
      description:
        'Requests at the same time; for connectors that make none, feeds that are read or written at the same time. Default: no limit.',
    }),
    breaker: breaker.optional(),
  })
  .meta({ description: 'Limits of the connection, shared by all jobs of the process.' });

export type LimitsConfig = z.output<typeof limitsSchema>;
