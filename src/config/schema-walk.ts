import type { z } from 'zod';

/*
 * Looks into zod schemas: which keys there are at a path, which values are secret. Only `_zod.def` is read, so that the schemas of a
 * connector with its own copy of zod work as well.
 */

interface Definition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly getter?: () => z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
}

/** The schema itself and everything that it only wraps or offers as an alternative: defaults, optionals, pipes, unions. */
export function alternatives(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const definition = definitionOf(schema);
  const inner = definition.innerType ?? definition.in ?? definition.getter?.();
  if (inner !== undefined) return [schema, ...alternatives(inner)];
  return [schema, ...(definition.options ?? []).flatMap(alternatives)];
}

/** The schemas that a member of a value of this schema may have. */
export function memberSchemas(schema: z.core.$ZodType, key: PropertyKey): readonly z.core.$ZodType[] {
  return alternatives(schema).flatMap((one) => {
    const { shape, element, valueType } = definitionOf(one);
    const member = shape === undefined ? (element ?? valueType) : Object.hasOwn(shape, key) ? shape[key as string] : undefined;
    return member === undefined ? [] : [member];
  });
}

/** The keys that objects at this path may have, without those that are refused in any case. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  let schemas: readonly z.core.$ZodType[] = [schema];
  for (const key of path) schemas = schemas.flatMap((one) => memberSchemas(one, key));
  const keys = schemas.flatMap(alternatives).flatMap((one) => {
    const shape = definitionOf(one).shape ?? {};
    return Object.keys(shape).filter((key) => !isRefused(shape[key] as z.core.$ZodType));
  });
  return [...new Set(keys)];
}

/** A key that is known but not available yet. */
export function isRefused(schema: z.core.$ZodType): boolean {
  return alternatives(schema).some((one) => definitionOf(one).type === 'never');
}

/** Whether the schema is flagged with `.meta({ secret: true })`, on itself or on what it wraps. */
export function isSecret(schema: z.core.$ZodType): boolean {
  return alternatives(schema).some((one) => metaOf(one)['secret'] === true);
}

/** Description, default, examples: what `.meta()` says. */
export function metaOf(schema: z.core.$ZodType): Readonly<Record<string, unknown>> {
  const { meta } = schema as { meta?: () => Record<string, unknown> | undefined };
  return (typeof meta === 'function' ? meta.call(schema) : undefined) ?? {};
}

export function definitionOf(schema: z.core.$ZodType): Definition {
  return schema['_zod'].def;
}
