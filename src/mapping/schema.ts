import { z } from 'zod';

/*
 * The mapping file as people write it. The published JSON Schema, the reference in the docs and the check of every key come from here.
 * Each schema is made when it is first asked for: a job without a mapping needs none, and making them takes as long as connecting.
 */

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

const name = (description: string) => z.string().min(1).meta({ description });
const scalar = once(() => z.union([z.string(), z.number(), z.boolean(), z.null()]));

const onLoss = once(() =>
  z.enum(['error', 'text', 'truncate', 'null']).meta({
    description:
      'What happens to a value that cannot be carried exactly: `error` (a dead letter), `text` (its text, where the field can hold text), `truncate` (cut fractions and times), `null`. Every use is counted. Default: `onLoss` of the job.',
  }),
);

const type = once(() =>
  name(
    'A logical type: bool, int32, int64, float64, decimal, text, bytes, uuid, objectId, date, time, timestamp, timestamptz, interval, json, list<…>, struct<…>.',
  ),
);

const from = once(() =>
  name('A field of the source, or a path inside a json or struct field: `payload.customer.name`. A dot inside a name is written `\\.`.'),
);

export const maskSchema = once(() =>
  z
    .union([z.enum(['sha256', 'redact', 'last4']), z.strictObject({ hmac: name('The key, as a reference: `${NAME}` or `${file:PATH}`.') })])
    .meta({
      description:
        'Hides the value: `{ hmac: "${KEY}" }` (hex HMAC-SHA-256 of its text, joins still work), `sha256` (hex, guessable where there are few values), `redact` (`***`), `last4` (`****` and the last four characters).',
    }),
);

export const fromSchema = once(() =>
  z
    .strictObject({
      from: from(),
      shift: z
        .int()
        .min(-100)
        .max(100)
        .meta({ description: 'Moves the decimal point by so many places, exactly: -2 makes 12.34 of 1234.' })
        .optional(),
      zone: name('The IANA time zone in which a civil time becomes an instant, or an instant a civil time.').optional(),
      lookup: z.record(z.string(), scalar()).meta({ description: 'What stands for each value, by its text.' }).optional(),
      default: scalar()
        .meta({ description: 'With `lookup`: for every other value. Without it another value is a dead letter; NULL stays NULL.' })
        .optional(),
      mask: maskSchema().optional(),
      type: type().optional(),
      onLoss: onLoss().optional(),
    })
    .meta({ description: 'A field of the source, changed.' }),
);

export const constSchema = once(() =>
  z
    .strictObject({
      const: z.unknown().meta({ description: 'The value of every record. Text may hold `${NAME}`.' }),
      type: type().optional(),
    })
    .meta({ description: 'The same value in every record.' }),
);

export const exprSchema = once(() =>
  z
    .strictObject({
      expr: name('An expression (CEL) over the fields of the source. A NULL operand gives NULL, equality excepted.'),
      type: type().optional(),
      onLoss: onLoss().optional(),
    })
    .meta({ description: 'A computed value.' }),
);

export const fieldSchema = once(() => z.union([from(), fromSchema(), constSchema(), exprSchema()]));

const otherFields = once(() =>
  z.union([z.enum(['drop', 'keep', 'error']), z.strictObject({ into: name('The json field that takes them all.') })]),
);

export const unwindSchema = once(() =>
  z
    .strictObject({
      path: name(
        'The array: a field of the source, or a path inside of one (`payload.items`). On a deeper level it begins with the path above: `items.parts`.',
      ),
      key: z
        .array(z.string().min(1))
        .min(1)
        .meta({
          description:
            'The fields of the child table that make its key: those that carry the key of the source, and what tells the elements apart. Default: the former, and every field made from an `@index`.',
        })
        .optional(),
      where: name('An expression (CEL): only elements for which it is true become rows.').optional(),
      fields: z
        .record(z.string().min(1), fieldSchema())
        .meta({
          description:
            'The fields of the child table. The path names the element at hand (`items.sku`; of an array of plain values `tags` itself), `@index` its position from 0, `items.@index` that of the level above; the other fields of the document have their names.',
        })
        .optional(),
      otherFields: otherFields()
        .meta({
          description:
            'What happens to fields of the element that no field is made `from`. `keep` needs a type that names them. Default: `drop` with `fields`, else `keep`.',
        })
        .optional(),
      get unwind(): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodType>> {
        return z
          .record(z.string().min(1), unwindSchema() as z.ZodType)
          .meta({ description: 'Arrays inside of the elements, by their child tables.' })
          .optional();
      },
    })
    .meta({ description: 'An array whose elements become rows of a child table.' }),
);

export const embedSchema = once(() =>
  z
    .strictObject({
      from: name('The stream that the children come from: of the same connection, whether the job has it as a stream of its own or not.'),
      on: z
        .record(z.string().min(1), z.string().min(1))
        .refine((on) => Object.keys(on).length > 0, { message: 'must name at least one field' })
        .meta({ description: 'Which field of the child equals which field of the parent: `{ order_id: id }`. Several must all be equal.' }),
      orderBy: z
        .array(
          z.union([
            z.string().min(1),
            z
              .record(z.string().min(1), z.enum(['asc', 'desc']))
              .refine((order) => Object.keys(order).length === 1, { message: 'must name one field' }),
          ]),
        )
        .meta({
          description:
            'The order of the array, by fields of the child: `[line_no]`, `[{ placed_at: desc }]`. What is equal then stands by the key of the child.',
        })
        .optional(),
      one: z
        .boolean()
        .meta({
          description:
            'One document instead of an array: null where there is no child; a parent with more than one is a dead letter. Default: false.',
        })
        .optional(),
      fields: z
        .record(z.string().min(1), fieldSchema())
        .meta({ description: 'The fields of each child, as `fields` of a mapping.' })
        .optional(),
      where: name('An expression (CEL) over the fields of the child: only children for which it is true are embedded.').optional(),
      otherFields: otherFields().meta({ description: 'As `otherFields` of a mapping, for the fields of the child.' }).optional(),
      drop: z.array(z.string().min(1)).meta({ description: 'Fields of the child that are never read.' }).optional(),
      key: z
        .array(z.string().min(1))
        .min(1)
        .meta({ description: 'The fields that tell children apart. Default: their primary key.' })
        .optional(),
      changes: z
        .strictObject({
          by: z
            .enum(['cursor', 'sequence', 'xmin', 'log', 'snapshot', 'push'])
            .meta({ description: 'The method, as `changes` of a stream.' }),
          field: name('The cursor column.').optional(),
        })
        .meta({ description: 'How changes of the children are found. Default: by the method of the parent.' })
        .optional(),
      get embed(): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodType>> {
        return z.record(z.string().min(1), embedSchema()).meta({ description: 'Children of the children.' }).optional();
      },
    })
    .meta({ description: 'Children of another stream.' }),
);

export const mappingSchema = once(() =>
  z
    .strictObject({
      where: name(
        'An expression (CEL): only records for which it is true arrive. A record that stops passing is deleted in the target (`onExit`).',
      ).optional(),
      fields: z
        .record(z.string().min(1), fieldSchema())
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
      otherFields: otherFields()
        .meta({ description: 'What happens to source fields that no field is made `from`. Default: `drop` with `fields`, else `keep`.' })
        .optional(),
      drop: z.array(z.string().min(1)).meta({ description: 'Source fields that are never read, whatever `otherFields` says.' }).optional(),
      embed: z
        .record(z.string().min(1), embedSchema())
        .meta({
          description:
            'Children of other streams, by the field of the target that holds them: as an array, or as one document with `one: true`.',
        })
        .optional(),
      unwind: z
        .record(z.string().min(1), unwindSchema())
        .meta({
          description:
            'Arrays as rows of child tables, by the name of the table. The rows are replaced together with their record: they come, change and go with it.',
        })
        .optional(),
    })
    .meta({ title: 'trueup mapping', description: 'How records of a source become records of a target.' }),
);

/** What a person writes. */
export type MappingText = z.input<ReturnType<typeof mappingSchema>>;
export type FromForm = z.output<ReturnType<typeof fromSchema>>;
export type ConstForm = z.output<ReturnType<typeof constSchema>>;
export type ExprForm = z.output<ReturnType<typeof exprSchema>>;
export type EmbedForm = z.output<ReturnType<typeof embedSchema>>;
/** `short`: written as the name of a source field alone. */
export type FieldForm =
  | { readonly form: 'from'; readonly data: FromForm; readonly short?: true }
  | { readonly form: 'const'; readonly data: ConstForm }
  | { readonly form: 'expr'; readonly data: ExprForm };
