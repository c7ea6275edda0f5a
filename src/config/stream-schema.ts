import { z } from 'zod';
import { CHANGE_METHODS } from '../model/contracts.ts';
import { duration, share } from './units.ts';

/** A key whose feature is not there yet: known, documented, and refused instead of silently ignored. */
export function notYet(description: string): z.ZodOptional<z.ZodNever> {
  return z
    .never()
    .meta({ description: `Not available yet. ${description}` })
    .optional();
}

export function text(description: string): z.ZodString {
  return z.string().min(1).meta({ description });
}

const changes = z
  .strictObject({
    by: z.enum(CHANGE_METHODS).meta({
      description: 'The method: a cursor column, a sequence, the row version (xmin), the log, whole snapshots, or pushed events.',
    }),
    field: text('The cursor column of `cursor`, or the counter of `sequence`.').optional(),
  })
  .meta({ description: 'How changes are found. Default: the best method that the source offers for the stream; `trueup plan` shows it.' });

const compare = z
  .strictObject({
    schedule: text(
      'Five or six cron fields, in the time zone of `defaults.timezone`: the first run after each of these times compares. Default: every run, and every hour when following.',
    ).optional(),
    scope: text(
      'Expression over fields of the source that reach the target unchanged: only records of the target for which it is true may be deleted. Default: all.',
    ).optional(),
    maxShare: share().prefault(0.05).meta({
      description: "Largest share of the target's records that one comparison may delete. With more the run stops and deletes nothing.",
    }),
  })
  .meta({ description: 'Compare the keys of both sides and delete what the source no longer has.' });

const deletes = z
  .strictObject({
    when: text('Expression over the source record: where it is true the record counts as deleted (soft deletes).').optional(),
    compare: compare.optional(),
  })
  .meta({ description: 'How deletes are found when the change method does not deliver them. Both members may be given.' });

const onDelete = z
  .union([z.enum(['delete', 'ignore']), z.strictObject({ mark: text('The column of the target that is set to true.') })])
  .meta({ description: 'What a delete does in the target: delete the record, ignore it, or mark it in a column.' });

const drift = z
  .strictObject({
    add: z
      .enum(['evolve', 'ignore', 'stop'])
      .default('evolve')
      .meta({ description: 'A new field: add it to the target, leave it out, or stop.' }),
    drop: z.enum(['keep', 'stop']).default('keep').meta({ description: 'A field that is gone: keep the column of the target, or stop.' }),
    retype: z
      .enum(['widen', 'stop'])
      .default('widen')
      .meta({ description: 'A field of another type: widen the column where nothing is lost, or stop.' }),
  })
  .meta({ description: 'What happens when the fields of the stream change.' });

const backfill = z
  .strictObject({
    partitions: z
      .int()
      .min(1)
      .max(256)
      .default(4)
      .meta({ description: 'Key ranges that the first load reads in parallel, each resumed by itself.' }),
  })
  .meta({ description: 'How existing records are loaded.' });

/** One entry of `streams`. */
export const streamSchema = z
  .strictObject({
    from: text('Stream of the source, `schema.table`. `*` and `?` match inside a name; a dot inside a name is written `\\.`').optional(),
    query: text('A query in the language of the source, instead of `from`; `to` names the stream.').optional(),
    except: z.array(text('A stream name or pattern.')).default([]).meta({ description: 'Streams that a wildcard leaves out.' }),
    to: text(
      'Where it goes in the target. Default: the same name. With wildcards `archive.{table}`; `{schema}` and `{table}` are parts of the source name.',
    ).optional(),
    changes: changes.optional(),
    key: z
      .array(text('A field name.'))
      .min(1)
      .meta({ description: 'Fields that tell the records apart. Default: the primary key.' })
      .optional(),
    mapping: z
      .union([text('Path of a mapping file, from the folder of the config.'), z.looseObject({})])
      .meta({ description: 'Path of the mapping file, from the folder of the config. Default: every field under its own name.' })
      .optional(),
    where: text('Expression over the source record; only records for which it is true are in the target.').optional(),
    lookback: duration({ min: '0s', max: '24d' })
      .meta({ description: 'Read everything again whose cursor is this much older than the checkpoint.' })
      .optional(),
    deletes: deletes.optional(),
    onDelete: onDelete.default('delete'),
    onExit: z
      .enum(['delete', 'keep'])
      .default('delete')
      .meta({ description: 'What happens in the target to a record that no longer passes `where`.' }),
    guard: text('A column of the target: a write that is older by it is refused and counted as superseded.').optional(),
    backfill: backfill.prefault({}),
    drift: drift.prefault({}),
    after: z
      .array(text('A stream of the same job.'))
      .default([])
      .meta({ description: "Streams that are written before this one. Default: the target's foreign keys decide." }),
  })
  .meta({ description: 'A stream by name, a query, or a wildcard. A stream named by itself beats a wildcard.' });

export type StreamConfig = z.output<typeof streamSchema>;
