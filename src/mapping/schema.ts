import { z } from 'zod';

/*
 * The mapping file as people write it. The published JSON Schema, the reference in the docs and the check of every key come from here.
 */

const name = (description: string) => z.string().min(1).meta({ description });
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const onLoss = z.enum(['error', 'text', 'truncate', 'null']).meta({
  description:
    'What happens to a value that cannot be carried exactly: `error` (a dead letter), `text` (its text, where the field can hold text), `truncate` (cut fractions and times), `null`. Every use is counted. Default: `onLoss` of the job.',
});
const type = name(
  'A logical type: bool, int32, int64, float64, decimal, text, bytes, uuid, objectId, date, time, timestamp, timestamptz, interval, json, list<…>, struct<…>.',
);
const from = name(
  'A field of the source, or a path inside a json or struct field: `payload.customer.name`. A dot inside a name is written `\\.`.',
);

export const maskSchema = z
  .union([z.enum(['sha256', 'redact', 'last4']), z.strictObject({ hmac: name('The key, as a reference: `${NAME}` or `${file:PATH}`.') })])
  .meta({
    description:
      'Hides the value: `{ hmac: "${KEY}" }` (hex HMAC-SHA-256 of its text, joins still work), `sha256` (hex, guessable where there are few values), `redact` (`***`), `last4` (`****` and the last four characters).',
  });

export const fromSchema = z
  .strictObject({
    from,
    shift: z
      .int()
      .min(-100)
      .max(100)
      .meta({ description: 'Moves the decimal point by so many places, exactly: -2 makes 12.34 of 1234.' })
      .optional(),
    zone: name('The IANA time zone in which a civil time becomes an instant, or an instant a civil time.').optional(),
    lookup: z.record(z.string(), scalar).meta({ description: 'What stands for each value, by its text.' }).optional(),
    default: scalar
      .meta({ description: 'With `lookup`: for every other value. Without it another value is a dead letter; NULL stays NULL.' })
      .optional(),
    mask: maskSchema.optional(),
    type: type.optional(),
    onLoss: onLoss.optional(),
  })
  .meta({ description: 'A field of the source, changed.' });

export const constSchema = z
  .strictObject({
    const: z.unknown().meta({ description: 'The value of every record. Text may hold `${NAME}`.' }),
    type: type.optional(),
  })
  .meta({ description: 'The same value in every record.' });

export const exprSchema = z
  .strictObject({
    expr: name('An expression (CEL) over the fields of the source. A NULL operand gives NULL, equality excepted.'),
    type: type.optional(),
    onLoss: onLoss.optional(),
  })
  .meta({ description: 'A computed value.' });

export const fieldSchema = z.union([from, fromSchema, constSchema, exprSchema]);

const notYet = (description: string) =>
  z
    .never()
    .optional()
    .meta({ description: `Not available for this target yet. ${description}` });

export const mappingSchema = z
  .strictObject({
    where: name(
      'An expression (CEL): only records for which it is true arrive. A record that stops passing is deleted in the target (`onExit`).',
    ).optional(),
    fields: z
      .record(z.string().min(1), fieldSchema)
      .meta({
        description:
          'The fields of the target, in order. Dots make nested fields where the target has them; a dot inside a name is written `\\.`.',
      })
      .optional(),
    key: z
      .array(z.string().min(1))
      .min(1)
      .meta({ description: 'The fields of the target that make its key. Default: those that carry the key fields of the source.' })
      .optional(),
    otherFields: z
      .union([z.enum(['drop', 'keep', 'error']), z.strictObject({ into: name('The json field that takes them all.') })])
      .meta({ description: 'What happens to source fields that no field is made `from`. Default: `drop` with `fields`, else `keep`.' })
      .optional(),
    drop: z.array(z.string().min(1)).meta({ description: 'Source fields that are never read, whatever `otherFields` says.' }).optional(),
    embed: notYet('Children of another stream as arrays.').optional(),
    unwind: notYet('Arrays as rows of a child table.').optional(),
  })
  .meta({ title: 'trueup mapping', description: 'How records of a source become records of a target.' });

/** What a person writes. */
export type MappingText = z.input<typeof mappingSchema>;
export type FromForm = z.output<typeof fromSchema>;
export type ConstForm = z.output<typeof constSchema>;
export type ExprForm = z.output<typeof exprSchema>;
/** `short`: written as the name of a source field alone. */
export type FieldForm =
  | { readonly form: 'from'; readonly data: FromForm; readonly short?: true }
  | { readonly form: 'const'; readonly data: ConstForm }
  | { readonly form: 'expr'; readonly data: ExprForm };
