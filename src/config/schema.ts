import { z } from 'zod';
import { text } from './stream-schema.ts';
import { wholeJobSchema } from './job-schema.ts';
import { limitsSchema } from './limits-schema.ts';
import { byteSize, duration } from './units.ts';

// A config is checked once: code made for a schema, which zod would make for its first check, takes longer than the check.
z.config({ jitless: true });

/** Names of connections and jobs: they stand in checkpoints, file names and metric labels. */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/;

const batch = z
  .strictObject({
    rows: z.int().min(1).max(1_000_000).default(10_000).meta({ description: 'Most records in a batch.' }),
    bytes: byteSize({ min: '64KiB', max: '1GiB' }).prefault('8MiB').meta({ description: 'Most bytes in a batch.' }),
  })
  .meta({ description: 'What is read and written at a time.' });

export const defaultsSchema = z
  .strictObject({
    batch: batch.prefault({}),
    memory: byteSize({ min: '1MiB', max: '64GiB' })
      .prefault('128MiB')
      .meta({ description: 'Most bytes of records in memory, over all jobs.' }),
    shutdownGrace: duration({ min: '0s', max: '1h' })
      .prefault('20s')
      .meta({ description: 'How long writing may go on after a signal, to end at a checkpoint.' }),
    timezone: text('IANA time zone of schedules that name none.').default('UTC'),
    maxRecordBytes: byteSize({ min: '1KiB', max: '1GiB' })
      .prefault('16MiB')
      .meta({ description: 'A larger record becomes a dead letter.' }),
    onLoss: z.enum(['error', 'text', 'truncate', 'null']).default('error').meta({
      description: 'What happens to a value that the target cannot hold exactly: a dead letter, its text, the nearest value, or NULL.',
    }),
    keepRuns: z.int().min(1).max(100_000).default(100).meta({ description: 'Runs of each job that the history keeps.' }),
  })
  .meta({ description: 'Settings of every job.' });

/** Keys of a connection that are not options of its connector. */
export const connectionSchema = z
  .looseObject({
    connector: text('A built-in connector, the path of a module (`./tracker.ts`), or the name of an npm package.'),
    limits: limitsSchema.optional(),
  })
  .meta({ description: 'A system to read or write. The other keys are the options of its connector.' });

const name = z.string().regex(NAME_PATTERN);

export const stateSchema = text(
  'Where runs, leases and checkpoints are kept: `sqlite:` and a path, or a `postgres://` URL when several machines share the work. Default: `sqlite:.trueup/state.db`.',
);

/** The whole config. Loading decodes it part by part; JSON Schema, reference and `defineConfig` come from here. */
export const configSchema = z
  .strictObject({
    connections: z.record(name, connectionSchema).meta({ description: 'The systems, by the name that jobs use.' }),
    jobs: z.record(name, wholeJobSchema).default({}).meta({ description: 'What is kept in step, by name.' }),
    defaults: defaultsSchema.prefault({}),
    state: stateSchema.optional(),
  })
  .meta({ title: 'trueup config', description: 'What trueup keeps in step: connections, jobs and their streams.' });

/** What a person writes. */
export type Config = z.input<typeof configSchema>;
