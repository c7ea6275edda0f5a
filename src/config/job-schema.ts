import { z } from 'zod';
import { streamSchema, text } from './stream-schema.ts';
import { duration, share } from './units.ts';

const cronText = text('Five or six cron fields (seconds first). Both day fields must match when both are restricted.');

const schedule = z
  .union([
    cronText.meta({ description: 'Cron fields, or `continuous`: follow the source without end.' }),
    z.strictObject({
      cron: cronText,
      timezone: text('IANA time zone of the cron fields. Default: `defaults.timezone`.').optional(),
      overlap: z
        .enum(['skip', 'queue'])
        .default('skip')
        .meta({ description: 'When the job is still running: leave the turn out, or run once more right after.' }),
      misfire: z
        .enum(['once', 'skip'])
        .default('once')
        .meta({ description: 'After downtime: make up for the missed turns with one run, or wait for the next.' }),
      jitter: duration({ min: '0s', max: '1h' }).prefault('0s').meta({ description: 'Start up to this much later, at random.' }),
    }),
  ])
  .meta({ description: 'When `trueup start` runs the job. Absent: by hand only.' });

const require = z
  .strictObject({
    delivery: z.enum(['exactly-once-effect']).optional().meta({ description: 'No record is visible twice, even after a crash.' }),
    lateCommits: z.enum(['delivered', 'within-lookback']).optional().meta({ description: 'Rows that commit after a later row was read.' }),
    deletes: z.enum(['delivered', 'by-compare']).optional().meta({ description: 'Deletes in the source.' }),
    staleWrites: z.enum(['refused', 'guarded']).optional().meta({ description: 'Writes that are older than what the target holds.' }),
    fidelity: z.enum(['exact']).optional().meta({ description: 'No value loses anything on its way.' }),
  })
  .meta({ description: 'Guarantees without which the job does not run.' });

const retries = z
  .strictObject({
    attempts: z.int().min(1).max(100).default(8).meta({ description: 'How often a feed is tried before it counts as failed.' }),
    maxDelay: duration({ min: '100ms', max: '1h' }).prefault('5m').meta({ description: 'Longest wait between two attempts.' }),
  })
  .meta({ description: 'Patience with a system that fails for a passing reason.' });

const deadLetters = z
  .strictObject({
    stopAfter: z.int().min(0).max(1_000_000).default(100).meta({ description: 'New dead letters in a run before it stops.' }),
    stopShare: share().prefault(0.01).meta({ description: 'Share of the records read that may become dead letters before the run stops.' }),
  })
  .meta({ description: 'How many records may be left out before the run stops.' });

/** Everything of a job but its streams, which are decoded one by one so that a mistake in one hides none in another. */
export const jobSchema = z.strictObject({
  source: text('Name of the connection that is read.'),
  target: text('Name of the connection that is written.'),
  schedule: schedule.optional(),
  streams: z.array(z.unknown()).min(1),
  require: require.prefault({}),
  retries: retries.prefault({}),
  deadLetters: deadLetters.prefault({}),
  checkpoints: z.enum(['atomic', 'beside', 'state']).optional().meta({
    description:
      'Where checkpoints are kept: with the rows in one transaction, beside them in the target, or in the state store. Default: the best that the target can.',
  }),
  ddl: z.enum(['auto', 'manual']).default('auto').meta({ description: 'Create what the target lacks, or stop and print the statements.' }),
  concurrency: z.int().min(1).max(64).default(4).meta({ description: 'Streams that are written at the same time.' }),
  onChange: z.enum(['stop', 'rebackfill', 'from-now']).default('stop').meta({
    description: 'When mapping, key, change method or filter changed since the checkpoint: stop, load again, or apply it from now on.',
  }),
  onLostPosition: z
    .enum(['stop', 'rebackfill'])
    .default('stop')
    .meta({ description: 'When the source can no longer deliver from the checkpoint on: stop, or load again.' }),
  maxDelay: duration({ min: '10ms', max: '1h' })
    .prefault('1s')
    .meta({ description: 'Longest time that a change waits for its batch to fill, when following.' }),
});

export type JobConfig = z.output<typeof jobSchema>;

/** A job with its streams: what JSON Schema, reference and `defineConfig` are made from. */
export const wholeJobSchema = z
  .strictObject({ ...jobSchema.shape, streams: z.array(streamSchema).min(1).meta({ description: 'What is kept in step.' }) })
  .meta({ description: 'Keeps streams of a target in step with a source.' });
